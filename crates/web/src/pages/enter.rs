//! What has to be entered into a device that has just been registered, so that it sends here: shown
//! once, with its token.

use maud::{Markup, html};
use model::DeviceRole;
use text::key;

use super::reach::hosts_from_elsewhere;
use super::{Ctx, qr};
use crate::changes::Newcomer;
use crate::http::asked::Here;
use crate::pages::devices::DevicesPart;

/// A reading as an example.
const EXAMPLE: &str = "{\"power_w\": 812, \"green\": true}";

/// What is to be entered, for a device with this name and token.
pub(crate) fn panel(
    site: &DevicesPart,
    ctx: &Ctx,
    here: &Here,
    newcomer: Newcomer<'_>,
    token: &str,
) -> Markup {
    let Newcomer { name, role, .. } = newcomer;
    let title = ctx.text(key::DEVICES_TOKEN);
    let host = hosts_from_elsewhere(&*site.network, here)
        .into_iter()
        .next();
    let host = host.unwrap_or_else(|| here.host().to_owned());
    let row = |label: String, value: &str| html! { div { dt { (label) } dd { code { (value) } } } };
    let trust = site.trust.as_deref();
    let topic = match role {
        DeviceRole::Device => Some(format!("mimamori/{name}")),
        DeviceRole::Reader => Some("mimamori/#".to_owned()),
        DeviceRole::Gateway => None,
    };
    html! {
        section.panel.fresh {
            div.panel-head { h2 { (title) } }
            p { (ctx.text(key::DEVICES_TOKEN_NOTE)) }
            div.pair {
                (qr(token, &title))
                dl.said.enter {
                    @if let Some(trust) = trust.filter(|trust| trust.mqtts_port > 0) {
                        (row(ctx.text(key::ENTER_BROKER), &format!("{host}:{}", trust.mqtts_port)))
                    }
                    (row(ctx.text(key::ENTER_USER), name))
                    (row(ctx.text(key::ENTER_PASSWORD), token))
                    @if let Some(topic) = &topic { (row(ctx.text(key::ENTER_TOPIC), topic)) }
                    @if role == DeviceRole::Device { (row(ctx.text(key::ENTER_EXAMPLE), EXAMPLE)) }
                }
            }
            @if let Some(trust) = trust {
                p.quiet { (ctx.text(key::ENTER_TRUST)) " "
                    a href="/trust/mimamori.crt" download { (ctx.text(key::TRUST_GET)) } }
                @if role == DeviceRole::Device {
                    p.quiet { (ctx.text(key::ENTER_MAKERS)) }
                    details {
                        summary { (ctx.text(key::ENTER_HTTP)) }
                        pre.raw {
                            "curl --cacert mimamori.crt "
                            "-H \"Authorization: Bearer " (token) "\" \\\n"
                            "  -H \"Content-Type: application/json\" -d '" (EXAMPLE) "' \\\n"
                            "  https://" (host) ":" (trust.https.port()) "/ingest/" (name)
                        }
                    }
                }
            }
        }
    }
}
