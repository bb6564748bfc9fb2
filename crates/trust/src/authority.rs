//! Two authorities of the box's own: one signs the certificate of its pages and its broker and is
//! what people install in their browsers, so it may sign only names of private networks; the other
//! signs devices and is trusted by nobody but the box.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use model::{DeviceId, Time};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CidrSubnet,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::{FromDer as _, ParsedExtension, X509Certificate, X509Extension};

use crate::fingerprint::fingerprint_of;
use crate::names::{HostNames, is_under};

/// An authority outlives the box.
const AUTHORITY_DAYS: i64 = 30 * 365;
/// A device keeps its certificate as long as it lives; it can be ended at any moment.
const DEVICE_DAYS: i64 = 20 * 365;
/// Phones accept no server certificate that is valid longer.
const BOX_DAYS: i64 = 397;
/// The box's certificate is made anew this long before it ends.
const RENEW_DAYS: i64 = 60;
/// Certificates begin a little earlier, for devices whose clock is behind.
const EARLIER: Duration = Duration::days(2);
/// Largest certificate request.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Ends of host names that no public name has, or that networks at home and at work use.
const PRIVATE_ENDS: [&str; 6] = ["local", "lan", "internal", "home.arpa", "localhost", "test"];

/// The number of the extension that says what an authority may sign (RFC 5280, 4.2.1.10).
const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];

/// Why something about certificates could not be done.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key could not be made or understood.
    #[error("a certificate could not be made or read")]
    Certificate(#[from] rcgen::Error),
    /// A file holds no certificate or key.
    #[error("{0} is not a certificate or key")]
    Content(PathBuf),
    /// The request of a device is none, or not signed with its own key.
    #[error("this is not a certificate request signed with its own key")]
    Request,
    /// Certificate and key cannot be used together.
    #[error("certificate and key do not fit together")]
    Tls(#[from] rustls::Error),
}

/// The certificate of the box, with its key.
#[derive(Debug)]
pub struct BoxCertificate {
    /// The certificate. The authority is not sent along: who trusts it has it, and small devices
    /// stumble over what they need not read.
    pub chain: Vec<CertificateDer<'static>>,
    /// What proves that the certificate is shown by its owner.
    pub key: PrivateKeyDer<'static>,
    /// Until when it is valid.
    pub ends: Time,
}

/// What a device gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The certificate, as PEM.
    pub pem: String,
    /// SHA-256 of it, as hexadecimal digits: what the box knows it by.
    pub fingerprint: String,
    /// Until when it is valid.
    pub ends: Time,
}

/// The authorities of a data folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    /// Names that are not private by their end and may be signed all the same.
    given: Vec<String>,
    pages: CertificateSigner,
    devices: CertificateSigner,
}

#[derive(Debug)]
struct CertificateSigner {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authorities of a data folder, or makes them. `names` are the hosts the box is
    /// reached by; those that are not private by their end are allowed by name.
    pub fn open(folder: &Path, names: &HostNames, now: Time) -> Result<Self, TrustError> {
        let given = folder.join("tls-ca.names");
        let mut pages = CertificateSigner::open(folder, "tls-ca", || {
            let own: Vec<&str> = names
                .hosts()
                .filter(|host| !has_private_end(host))
                .collect();
            write(&given, &own.join("\n"))?;
            authority(
                &new_name("pages")?,
                Some(&own),
                Validity::of_authority(now)?,
            )
        })?;
        let given = read(&given).unwrap_or_default();
        let given: Vec<String> = given.lines().map(str::to_owned).collect();
        pages.let_everybody_read(folder, &given)?;
        let devices = CertificateSigner::open(folder, "tls-devices", || {
            authority(&new_name("devices")?, None, Validity::of_authority(now)?)
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            given,
            pages,
            devices,
        })
    }

    /// The certificate people install, as PEM.
    pub fn pem(&self) -> &str {
        &self.pages.pem
    }

    /// The same as DER.
    pub fn der(&self) -> &[u8] {
        &self.pages.der
    }

    /// SHA-256 of it, as hexadecimal digits: what people compare.
    pub fn fingerprint(&self) -> String {
        fingerprint_of(&self.pages.der)
    }

    /// The box's certificate for those of these names that the authority may sign: the one there is
    /// if it fits and is valid for a while, else a new one.
    pub fn box_certificate(
        &self,
        names: &HostNames,
        now: Time,
    ) -> Result<BoxCertificate, TrustError> {
        let names = names.vouched(&PRIVATE_ENDS, &self.given);
        let (pem, key) = (
            self.folder.join("tls-box.pem"),
            self.folder.join("tls-box.key"),
        );
        let list = self.folder.join("tls-box.names");
        let wanted = names.all().join("\n");
        let ends = read_ends(&list, &wanted);
        let is_fresh = ends.is_some_and(|ends| ends > after(now, RENEW_DAYS));
        let ends = if is_fresh && pem.exists() && key.exists() {
            ends.unwrap_or(now)
        } else {
            let ends = after(now, BOX_DAYS);
            let own = KeyPair::generate()?;
            let mut params = CertificateParams::new(names.all())?;
            Validity::between(now, ends)?.put(&mut params);
            params
                .distinguished_name
                .push(DnType::CommonName, "Mimamori");
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let made = params.signed_by(&own, &self.pages.issuer)?;
            write(&key, &own.serialize_pem())?;
            write(&pem, &made.pem())?;
            write(&list, &format!("{}\n{wanted}", ends.ms()))?;
            ends
        };
        let certificate = CertificateDer::from_pem_file(&pem);
        let certificate = certificate.map_err(|_| TrustError::Content(pem))?;
        Ok(BoxCertificate {
            chain: vec![certificate],
            key: PrivateKeyDer::from_pem_file(&key).map_err(|_| TrustError::Content(key))?,
            ends,
        })
    }

    /// Signs the request of a device (PKCS #10 as PEM) under the name the box gives it, whatever
    /// name is in it.
    pub fn sign_device(
        &self,
        request: &str,
        device: &DeviceId,
        now: Time,
    ) -> Result<DeviceCertificate, TrustError> {
        if request.len() > REQUEST_BYTES_MAX {
            return Err(TrustError::Request);
        }
        let request = CertificateSigningRequestParams::from_pem(request);
        let request = request.map_err(|_| TrustError::Request)?;
        let ends = after(now, DEVICE_DAYS);
        let mut params = CertificateParams::default();
        Validity::between(now, ends)?.put(&mut params);
        params
            .distinguished_name
            .push(DnType::CommonName, device.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&request.public_key, &self.devices.issuer)?;
        Ok(DeviceCertificate {
            pem: made.pem(),
            fingerprint: fingerprint_of(made.der()),
            ends,
        })
    }
}

impl CertificateSigner {
    fn open(
        folder: &Path,
        name: &str,
        make: impl FnOnce() -> Result<CertificateParams, TrustError>,
    ) -> Result<Self, TrustError> {
        let (pem, key) = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        if !pem.exists() || !key.exists() {
            let (params, own) = (make()?, KeyPair::generate()?);
            let made = params.self_signed(&own)?;
            // The certificate last: a key without it is made anew, and nobody has seen it yet.
            write(&key, &own.serialize_pem())?;
            write(&pem, &made.pem())?;
        }
        let own = KeyPair::from_pem(&read(&key)?)?;
        let text = read(&pem)?;
        let der = CertificateDer::from_pem_slice(text.as_bytes());
        Ok(Self {
            der: der.map_err(|_| TrustError::Content(pem))?,
            issuer: Issuer::from_ca_cert_pem(&text, own)?,
            pem: text,
        })
    }

    /// Signs itself anew, with the same name, key and end, if an older program marked its
    /// constraints critical: small devices cannot read it then. Who trusts the old one trusts
    /// what this one signs.
    fn let_everybody_read(&mut self, folder: &Path, given: &[String]) -> Result<(), TrustError> {
        let path = folder.join("tls-ca.pem");
        let content = || TrustError::Content(path.clone());
        let (_, known) = X509Certificate::from_der(&self.der).map_err(|_| content())?;
        if !known
            .extensions()
            .iter()
            .any(|e| is_constraint(e) && e.critical)
        {
            return Ok(());
        }
        let name = known.subject().iter_common_name().next();
        let name = name.and_then(|name| name.as_str().ok().map(str::to_owned));
        let validity = Validity {
            from: known.validity().not_before.to_datetime(),
            to: known.validity().not_after.to_datetime(),
        };
        let key_id = known
            .extensions()
            .iter()
            .find_map(|e| match e.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            });
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let mut params = authority(&name.ok_or_else(content)?, Some(&given), validity)?;
        if let Some(id) = key_id {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let made = params.self_signed(self.issuer.key())?;
        write(&path, &made.pem())?;
        (self.der, self.pem) = (made.der().clone(), made.pem());
        Ok(())
    }
}

/// From when to when a certificate is valid.
struct Validity {
    from: OffsetDateTime,
    to: OffsetDateTime,
}

impl Validity {
    fn between(from: Time, to: Time) -> Result<Self, TrustError> {
        let moment = |t: Time| {
            let moment = OffsetDateTime::from_unix_timestamp(t.ms().div_euclid(1_000));
            moment.map_err(|_| rcgen::Error::Time)
        };
        Ok(Self {
            from: moment(from)? - EARLIER,
            to: moment(to)?,
        })
    }

    fn of_authority(now: Time) -> Result<Self, TrustError> {
        Self::between(now, after(now, AUTHORITY_DAYS))
    }

    fn put(self, params: &mut CertificateParams) {
        (params.not_before, params.not_after) = (self.from, self.to);
    }
}

fn new_name(of: &str) -> Result<String, TrustError> {
    let mut id = [0_u8; 3];
    getrandom::fill(&mut id).map_err(|_| rcgen::Error::RingUnspecified)?;
    Ok(format!("Mimamori {} ({of})", HEXLOWER.encode(&id)))
}

fn authority(
    name: &str,
    given: Option<&[&str]>,
    validity: Validity,
) -> Result<CertificateParams, TrustError> {
    let mut params = CertificateParams::default();
    validity.put(&mut params);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    if let Some(given) = given {
        params.custom_extensions.push(constraints(private(given))?);
    }
    Ok(params)
}

/// What an authority may sign, as an extension that is not critical. RFC 5280 wants it critical, so
/// that whoever cannot check it refuses the authority; then small devices (Mbed TLS) refuse it
/// altogether, though they speak with nobody but the box. Browsers and systems check it either way.
fn constraints(permitted: Vec<GeneralSubtree>) -> Result<CustomExtension, TrustError> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: Vec::new(),
    });
    let made = params.self_signed(&KeyPair::generate()?)?;
    let read = X509Certificate::from_der(made.der()).ok();
    let content = read.and_then(|(_, made)| {
        let constraint = made.extensions().iter().find(|e| is_constraint(e))?;
        Some(constraint.value.to_vec())
    });
    let content = content.ok_or(rcgen::Error::CouldNotParseCertificate)?;
    Ok(CustomExtension::from_oid_content(NAME_CONSTRAINTS, content))
}

fn is_constraint(extension: &X509Extension<'_>) -> bool {
    extension.oid == OID_X509_EXT_NAME_CONSTRAINTS
}

/// What the authority of the pages may sign: names and addresses that are private, and the names
/// the box was given.
fn private(given: &[&str]) -> Vec<GeneralSubtree> {
    let v4 = |a, b, prefix| CidrSubnet::from_v4_prefix(Ipv4Addr::new(a, b, 0, 0).octets(), prefix);
    let v6 = |first, prefix| {
        CidrSubnet::from_v6_prefix(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0).octets(), prefix)
    };
    let networks = [
        v4(100, 64, 10),
        v4(127, 0, 8),
        v4(10, 0, 8),
        v4(172, 16, 12),
        v4(192, 168, 16),
        v4(169, 254, 16),
        CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128),
        v6(0xfc00, 7),
        v6(0xfe80, 10),
    ];
    let hosts = PRIVATE_ENDS.into_iter().chain(given.iter().copied());
    hosts
        .map(|host| GeneralSubtree::DnsName(host.to_owned()))
        .chain(networks.map(GeneralSubtree::IpAddress))
        .collect()
}

/// Whether a name can only be one of a private network.
fn has_private_end(host: &str) -> bool {
    PRIVATE_ENDS.iter().any(|end| is_under(host, end))
}

fn after(now: Time, days: i64) -> Time {
    now + days * 24 * 3_600_000
}

/// Until when the certificate is valid that was made for these names.
fn read_ends(list: &Path, wanted: &str) -> Option<Time> {
    let text = std::fs::read_to_string(list).ok()?;
    let (ends, names) = text.split_once('\n')?;
    (names == wanted).then(|| ends.parse().ok().map(Time::from_ms))?
}

fn read(path: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path).map_err(|source| TrustError::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file for its owner only; a cut leaves the old one or the new one.
fn write(path: &Path, text: &str) -> Result<(), TrustError> {
    let part = path.with_extension("part");
    let done = (|| {
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    })();
    done.map_err(|source| TrustError::File {
        path: path.to_owned(),
        source,
    })
}
