//! Where a telephone or another PC reaches the box. A page that is looked at on the box's own PC
//! stands at an address that leads nowhere else, so what is handed to others is never that one.

use app::ports::network::Network;
use app::views::TrustView;
use maud::{Markup, html};
use text::{Lang, key};

use super::{Ctx, qr};
use crate::http::asked::Here;

/// What this box is called from elsewhere: as whoever looks has come, if that leads here from
/// elsewhere, then its addresses.
pub(super) fn hosts_from_elsewhere(network: &dyn Network, here: &Here) -> Vec<String> {
    let typed = here.host().to_owned();
    let is_local = is_here(here);
    let others = network.addresses().into_iter();
    let others = others
        .map(|address| address.to_string())
        .chain(network.name());
    let mut hosts: Vec<String> = (!is_local).then_some(typed).into_iter().collect();
    for host in others {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// Whether whoever looks sits at the box's own PC, by the address they came to.
pub(super) fn is_here(here: &Here) -> bool {
    let host = here.host();
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// The same, if pages are served to others at all.
pub(super) fn hosts(network: &dyn Network, trust: &TrustView, here: &Here) -> Vec<String> {
    if trust.https.ip().is_loopback() {
        return Vec::new();
    }
    hosts_from_elsewhere(network, here)
}

/// Where this box is opened from elsewhere.
pub(super) struct Reached<'a> {
    pub(super) trust: &'a TrustView,
    pub(super) host: String,
}

impl Reached<'_> {
    /// A page over TLS.
    pub(super) fn secure(&self, path: &str) -> String {
        secure(self.trust, &self.host, path)
    }
}

/// The first place where pages are served to others, if they are at all.
pub(super) fn reached<'a>(
    network: &dyn Network,
    trust: Option<&'a TrustView>,
    here: &Here,
) -> Option<Reached<'a>> {
    let trust = trust?;
    let host = hosts(network, trust, here).into_iter().next()?;
    Some(Reached { trust, host })
}

/// A page over TLS.
pub(super) fn secure(trust: &TrustView, host: &str, path: &str) -> String {
    format!("https://{host}:{}{path}", trust.https.port())
}

/// Where somebody gets the box's certificate who trusts nothing yet. Where nobody else gets
/// anything in clear text, the browser warns once before it trusts.
pub(super) fn certificate(trust: &TrustView, host: &str, lang: Lang) -> String {
    let path = format!("/trust?lang={}", lang.code());
    if trust.http.ip().is_loopback() {
        secure(trust, host, &path)
    } else {
        format!("http://{host}:{}{path}", trust.http.port())
    }
}

/// The first step of a device that was never here: the certificate page, to be scanned, and how it
/// is installed.
pub(super) fn trust_first(ctx: &Ctx, trust: &TrustView, host: &str) -> Markup {
    let address = certificate(trust, host, ctx.lang);
    html! {
        div.pair {
            (qr(&address, &ctx.text(key::PHONE_TRUST)))
            ol.why {
                li { (ctx.text(key::TRUST_STEP_COMPARE)) }
                li { (ctx.text(key::TRUST_STEP_IOS)) }
                li { (ctx.text(key::TRUST_STEP_ANDROID)) }
            }
        }
    }
}
