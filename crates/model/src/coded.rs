//! Enumerations whose values are words: in the API, in files, as keys of texts.

/// Gives an enumeration its list of values, and the way from a value to its word and back. The
/// words are those of its `strum` attributes; it derives `IntoStaticStr`, `VariantArray` and
/// `EnumString`.
#[macro_export]
macro_rules! coded {
    ($name:ident) => {
        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

            /// The word used in the API, in files and as the key of its text.
            pub fn code(self) -> &'static str {
                self.into()
            }

            /// The value with this word.
            pub fn from_code(code: &str) -> Option<Self> {
                code.parse().ok()
            }
        }
    };
}
