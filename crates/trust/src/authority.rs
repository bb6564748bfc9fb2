//! Two authorities of the box's own: one signs the certificate of its pages and its broker and is
//! what people install in their browsers, so it may sign only names of private networks; the other
//! signs devices and is trusted by nobody but the box.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use model::{DeviceId, Time};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CidrSubnet,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;
use x509_parser::prelude::{
    FromDer as _, GeneralName, ParsedExtension, X509Certificate, X509Extension,
};

use crate::error::TrustError;
use crate::fingerprint::fingerprint_of;
use crate::names::{HostNames, is_under};
use crate::stored::{self, KeptPair, StoredPair};

/// An authority outlives the box.
const AUTHORITY_DAYS: i64 = 30 * 365;
/// A device keeps its certificate as long as it lives; it can be ended at any moment.
const DEVICE_DAYS: i64 = 20 * 365;
/// Phones accept no server certificate that is valid longer.
const BOX_DAYS: i64 = 397;
/// The box's certificate is made anew this long before it ends.
const RENEW_DAYS: i64 = 60;
/// The box's certificate begins this much earlier, for devices whose clock is behind.
const EARLIER_DAYS: i64 = 2;
/// Authorities and devices are valid from here on, 2000-01-01: the box's clock may be wrong when
/// it makes them, and clocks without a battery begin here.
const BEGINS: Time = Time::from_ms(946_684_800_000);
/// No box runs before 2026-01-01: a clock that says so has lost its battery.
const RELEASED: Time = Time::from_ms(1_767_225_600_000);
/// Largest certificate request.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Ends of host names that no public name has, or that networks at home and at work use.
const PRIVATE_ENDS: [&str; 6] = ["local", "lan", "internal", "home.arpa", "localhost", "test"];

/// The number of the extension that says what an authority may sign (RFC 5280, 4.2.1.10).
const NAME_CONSTRAINTS: &[u64] = &[2, 5, 29, 30];

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

/// An authority that could not be used any more and was made anew: who trusted it has to trust the
/// new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remade {
    /// The file that is to blame.
    pub file: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The authorities of a data folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    /// Names that are not private by their end and may be signed all the same.
    given: Vec<String>,
    pages: CertificateSigner,
    devices: CertificateSigner,
    remade: Vec<Remade>,
}

#[derive(Debug)]
struct CertificateSigner {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authorities of a data folder, or makes them; what cannot be used is set aside.
    /// `names` are the hosts the box is reached by; those that are not private by their end are
    /// allowed by name.
    pub fn open(folder: &Path, names: &HostNames, now: Time) -> Result<Self, TrustError> {
        let given = folder.join("tls-ca.names");
        let mut remade = Vec::new();
        let stored = StoredPair::new(folder, "tls-ca");
        let mut pages = CertificateSigner::open(&stored, now, &mut remade, || {
            let own: Vec<&str> = names
                .hosts()
                .filter(|host| !has_private_end(host))
                .collect();
            stored::write(&given, &own.join("\n"))?;
            authority(&new_name("pages")?, Some(&own), Validity::long(now)?)
        })?;
        // Without the list nothing is lost but names that are not private.
        let given = std::fs::read_to_string(&given).unwrap_or_default();
        let given: Vec<String> = given.lines().map(str::to_owned).collect();
        pages.let_everybody_use(&stored, &given, now)?;
        let stored = StoredPair::new(folder, "tls-devices");
        let devices = CertificateSigner::open(&stored, now, &mut remade, || {
            authority(&new_name("devices")?, None, Validity::long(now)?)
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            given,
            pages,
            devices,
            remade,
        })
    }

    /// What could not be used any more when it was opened.
    pub fn remade(&self) -> &[Remade] {
        &self.remade
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

    /// SHA-256 of its public key, as hexadecimal digits: it stays when the authority signs itself
    /// anew, and who trusts one certificate of this key trusts the others.
    pub fn key_fingerprint(&self) -> String {
        fingerprint_of(self.pages.issuer.key().public_key_raw())
    }

    /// The box's certificate for those of these names that the authority may sign: the one there is
    /// if it fits and is valid for a while, else a new one.
    pub fn box_certificate(
        &self,
        names: &HostNames,
        now: Time,
    ) -> Result<BoxCertificate, TrustError> {
        let now = now.max(RELEASED);
        let names = names.vouched(&PRIVATE_ENDS, &self.given).all();
        let stored = StoredPair::new(&self.folder, "tls-box");
        let kept = match stored.read() {
            // Nobody has installed it: what cannot be read is made anew like what has ended.
            Err(TrustError::Content(_)) => None,
            kept => kept?,
        };
        if let Some(kept) = kept
            && let Some(ends) = self.ends_later(&kept, &names, now)
        {
            return Ok(BoxCertificate::new(kept.der, &kept.key, ends));
        }
        let ends = after(now, BOX_DAYS);
        let own = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        Validity::between(after(now, -EARLIER_DAYS), ends)?.put(&mut params);
        params
            .distinguished_name
            .push(DnType::CommonName, "Mimamori");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&own, &self.pages.issuer)?;
        stored.write(&made.pem(), &own)?;
        Ok(BoxCertificate::new(made.der().clone(), &own, ends))
    }

    /// When a certificate ends that this authority signed for these names, if it is valid now and
    /// for a while. What the certificate itself says counts: a clock that was wrong when it was
    /// made leaves none that begins in years.
    fn ends_later(&self, kept: &KeptPair, names: &[String], now: Time) -> Option<Time> {
        let (_, known) = X509Certificate::from_der(&kept.der).ok()?;
        let (_, signer) = X509Certificate::from_der(&self.pages.der).ok()?;
        let wanted: BTreeSet<String> = names.iter().cloned().collect();
        let (from, to) = moments(&known);
        let fits = known.issuer().as_raw() == signer.subject().as_raw()
            && names_of(&known) == wanted
            && from <= now
            && to > after(now, RENEW_DAYS);
        fits.then_some(to)
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
        let ends = after(now.max(RELEASED), DEVICE_DAYS);
        let mut params = CertificateParams::default();
        Validity::between(BEGINS, ends)?.put(&mut params);
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

impl BoxCertificate {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair, ends: Time) -> Self {
        Self {
            chain: vec![certificate],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            ends,
        }
    }
}

impl CertificateSigner {
    fn open(
        stored: &StoredPair<'_>,
        now: Time,
        remade: &mut Vec<Remade>,
        make: impl FnOnce() -> Result<CertificateParams, TrustError>,
    ) -> Result<Self, TrustError> {
        let lost = match stored.read() {
            Ok(Some(kept)) => return Self::of(kept),
            Ok(None) if stored.certificate().exists() => Some(Remade {
                file: file_name(&stored.key()),
                problem: "the key is gone",
            }),
            Ok(None) => None,
            Err(TrustError::Content(path)) => Some(Remade {
                file: file_name(&path),
                problem: "it holds no certificate and key that belong together",
            }),
            Err(other) => return Err(other),
        };
        if let Some(lost) = lost {
            stored.set_aside(now)?;
            remade.push(lost);
        }
        let (params, key) = (make()?, KeyPair::generate()?);
        let made = params.self_signed(&key)?;
        stored.write(&made.pem(), &key)?;
        Self::of(KeptPair {
            pem: made.pem(),
            der: made.der().clone(),
            key,
        })
    }

    fn of(kept: KeptPair) -> Result<Self, TrustError> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(&kept.der, kept.key)?,
            der: kept.der,
            pem: kept.pem,
        })
    }

    /// Signs itself anew, with the same name and key, if an older program marked its constraints
    /// critical, so that small devices cannot read it, or if it is not valid now because the
    /// box's clock was wrong when it was made. Who trusts the old one trusts what this one signs.
    fn let_everybody_use(
        &mut self,
        stored: &StoredPair<'_>,
        given: &[String],
        now: Time,
    ) -> Result<(), TrustError> {
        let content = || TrustError::Content(stored.certificate());
        let (_, known) = X509Certificate::from_der(&self.der).map_err(|_| content())?;
        let extensions = known.extensions();
        let is_critical = extensions.iter().any(|e| is_constraint(e) && e.critical);
        let (from, to) = moments(&known);
        let is_valid = (from..to).contains(&now.max(RELEASED));
        if is_valid && !is_critical {
            return Ok(());
        }
        let validity = if is_valid {
            Validity::between(from, to)?
        } else {
            Validity::long(now)?
        };
        let name = known.subject().iter_common_name().next();
        let name = name.and_then(|name| name.as_str().ok());
        let key_id = extensions.iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let mut params = authority(name.ok_or_else(content)?, Some(&given), validity)?;
        if let Some(id) = key_id {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let made = params.self_signed(self.issuer.key())?;
        stored::write(&stored.certificate(), &made.pem())?;
        (self.der, self.pem) = (made.der().clone(), made.pem());
        Ok(())
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// From when to when a certificate is valid, as it says itself.
fn moments(known: &X509Certificate<'_>) -> (Time, Time) {
    let validity = known.validity();
    let ms = |seconds: i64| Time::from_ms(seconds * 1_000);
    (
        ms(validity.not_before.timestamp()),
        ms(validity.not_after.timestamp()),
    )
}

/// The hosts and addresses a certificate is for.
fn names_of(known: &X509Certificate<'_>) -> BTreeSet<String> {
    let names = known.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(host) => Some((*host).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    };
    names.filter_map(text).collect()
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
            from: moment(from)?,
            to: moment(to)?,
        })
    }

    /// As long as an authority is.
    fn long(now: Time) -> Result<Self, TrustError> {
        Self::between(BEGINS, after(now.max(RELEASED), AUTHORITY_DAYS))
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
