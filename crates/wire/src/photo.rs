//! A photo of a machine as it is kept: a small JPEG with nothing in it but the picture. Where it
//! was taken, by whom and with what (EXIF, XMP) stays out.

use jpeg_encoder::{ColorType, Encoder};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Pixels of a photo that is taken at most: three bytes each while it is made smaller, and six more
/// where it is progressive.
const PIXELS_MAX: usize = 16_000_000;
/// Longest side of a photo that is taken, in pixels.
const SIDE_MAX: usize = 12_000;
/// What a photo is made to fit, in pixels.
const FITS: [usize; 2] = [800, 600];
/// How well it is kept, of 100.
const QUALITY: u8 = 78;

/// Why something is no photo that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhotoProblem {
    /// It is something else, or cannot be read to its end.
    #[error("this is no JPEG, or it is damaged")]
    NotJpeg,
    /// It has more pixels than are taken.
    #[error("the photo has too many pixels")]
    TooLarge,
}

/// The photo as it is kept: JPEG, at most 800 by 600 pixels. Its pixels lie as they came; a note of
/// how the camera was held is not heeded.
pub fn small(jpeg: &[u8]) -> Result<Vec<u8>, PhotoProblem> {
    let options = DecoderOptions::new_safe()
        .set_max_width(SIDE_MAX)
        .set_max_height(SIDE_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder
        .decode_headers()
        .map_err(|_| PhotoProblem::NotJpeg)?;
    let info = decoder.info().ok_or(PhotoProblem::NotJpeg)?;
    let size = [usize::from(info.width), usize::from(info.height)];
    if size[0] * size[1] > PIXELS_MAX {
        return Err(PhotoProblem::TooLarge);
    }
    let pixels = decoder.decode().map_err(|_| PhotoProblem::NotJpeg)?;
    if size.contains(&0) || pixels.len() != size[0] * size[1] * 3 {
        return Err(PhotoProblem::NotJpeg);
    }
    let (pixels, size) = fitted(&pixels, size);
    let side = |n: usize| u16::try_from(n).map_err(|_| PhotoProblem::TooLarge);
    let mut kept = Vec::new();
    let encoder = Encoder::new(&mut kept, QUALITY);
    let encoded = encoder.encode(&pixels, side(size[0])?, side(size[1])?, ColorType::Rgb);
    encoded.map_err(|_| PhotoProblem::NotJpeg)?;
    Ok(kept)
}

/// A picture made small enough: each of its pixels is the mean of those that it stands for.
fn fitted(pixels: &[u8], [width, height]: [usize; 2]) -> (Vec<u8>, [usize; 2]) {
    let shrink = [width.div_ceil(FITS[0]), height.div_ceil(FITS[1])];
    let by = shrink[0].max(shrink[1]).max(1);
    let size = [(width / by).max(1), (height / by).max(1)];
    if by == 1 {
        return (pixels.to_vec(), size);
    }
    let mut small = Vec::with_capacity(size[0] * size[1] * 3);
    for row in 0..size[1] {
        for column in 0..size[0] {
            let mut sums = [0_usize; 3];
            let mut count = 0;
            for y in (row * by..(row + 1) * by).take_while(|y| *y < height) {
                let from = (y * width + column * by) * 3;
                let to = (y * width + ((column + 1) * by).min(width)) * 3;
                for pixel in pixels.get(from..to).unwrap_or_default().chunks_exact(3) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += usize::from(*value);
                    }
                    count += 1;
                }
            }
            small.extend(sums.map(|sum| (sum / count.max(1)) as u8));
        }
    }
    (small, size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A photo, red on its left and blue on its right.
    fn photo(width: u16, height: u16) -> Vec<u8> {
        let pixel = |x: u16| {
            if x < width / 2 {
                [220, 30, 30]
            } else {
                [30, 30, 220]
            }
        };
        let row: Vec<u8> = (0..width).flat_map(pixel).collect();
        let pixels = row.repeat(usize::from(height));
        let mut jpeg = Vec::new();
        let encoder = Encoder::new(&mut jpeg, 90);
        encoder
            .encode(&pixels, width, height, ColorType::Rgb)
            .unwrap();
        jpeg
    }

    fn look(jpeg: &[u8]) -> ([usize; 2], Vec<u8>) {
        let mut decoder = JpegDecoder::new(ZCursor::new(jpeg));
        let pixels = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        ([info.width.into(), info.height.into()], pixels)
    }

    #[test]
    fn a_large_photo_is_kept_small_and_as_it_was() {
        let (size, pixels) = look(&small(&photo(4_000, 3_000)).unwrap());
        assert_eq!(size, [800, 600]);
        let at = |x: usize| &pixels[(300 * 800 + x) * 3..][..3];
        assert!(at(100)[0] > 180 && at(100)[2] < 90, "{:?}", at(100));
        assert!(at(700)[2] > 180 && at(700)[0] < 90, "{:?}", at(700));
        let (size, _) = look(&small(&photo(300, 900)).unwrap());
        assert_eq!(size, [150, 450]);
        assert_eq!(look(&small(&photo(640, 480)).unwrap()).0, [640, 480]);
    }

    #[test]
    fn where_it_was_taken_stays_out() {
        let mut jpeg = photo(64, 64);
        let exif = b"Exif\0\0N35.6812 E139.7671";
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let app1 = [&[0xff, 0xe1], &length[..], &exif[..]].concat();
        jpeg.splice(2..2, app1);
        let has = |bytes: &[u8]| bytes.windows(8).any(|window| window == b"N35.6812");
        assert!(has(&jpeg) && !has(&small(&jpeg).unwrap()));
    }

    #[test]
    fn what_is_no_photo_is_refused() {
        for bytes in [
            &b""[..],
            b"GIF89a",
            b"\x89PNG\r\n\x1a\n",
            &[0xff, 0xd8, 0xff],
        ] {
            assert_eq!(small(bytes), Err(PhotoProblem::NotJpeg));
        }
        // Its head says 65,000 by 65,000.
        let mut jpeg = photo(64, 64);
        let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        jpeg[at + 5..at + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);
        assert!(small(&jpeg).is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_breaks_it(
            cut in 0_usize..3_000, at in 0_usize..3_000, byte: u8,
        ) {
            let mut jpeg = photo(96, 64);
            jpeg.truncate(cut.max(4));
            let at = at % jpeg.len();
            jpeg[at] = byte;
            small(&jpeg).ok();
        }
    }
}
