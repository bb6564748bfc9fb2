//! What was not taken: grouped by why, with whom it came from, an example, and what to do about it;
//! searched by any word of it.

use app::known::Known;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use model::{RefusalReason, Refused};
use serde::Deserialize;
use store::RefusedCount;
use text::{Key, key};

use super::{Ctx, Place, frame, grouped};
use crate::http::access::LOOK;
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, page};
use crate::site::part;

part! {
    /// What this page needs.
    RefusedPart { known: Known }
}

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[page!(get "/refused", LOOK, show)];

/// Examples that are looked through.
const SAMPLES_READ: usize = 1_000;
/// Senders of one reason that are shown.
const SENDERS_SHOWN: usize = 50;
/// Reasons shown on the page of devices.
const REASONS_IN_SUMMARY: usize = 5;

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(crate) struct WantedRefused {
    #[serde(default)]
    text: String,
}

/// Everything that was not taken for one reason.
struct RefusedGroup<'a> {
    reason: RefusalReason,
    senders: Vec<&'a RefusedCount>,
}

impl<'a> RefusedGroup<'a> {
    /// Counts by their reasons, the one that came up last first.
    fn all(counts: &'a [RefusedCount], fits: impl Fn(&RefusedCount) -> bool) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for count in counts.iter().filter(|count| fits(count)) {
            match groups.iter_mut().find(|group| group.reason == count.reason) {
                Some(group) => group.senders.push(count),
                None => groups.push(Self {
                    reason: count.reason,
                    senders: vec![count],
                }),
            }
        }
        groups
    }

    fn times(&self) -> u64 {
        self.senders.iter().map(|count| count.n).sum()
    }

    fn last_at(&self) -> model::Time {
        let times = self.senders.iter().map(|count| count.last_at);
        times.max().unwrap_or_default()
    }
}

/// The page.
pub(crate) async fn show(
    State(site): State<RefusedPart>,
    Asked(visitor): Asked<Visitor>,
    Query(wanted): Query<WantedRefused>,
) -> Result<Response, Failure> {
    let ctx = Ctx::new(&site.known, &visitor);
    let found = site.known.read(|r| {
        Ok((
            r.refused_counts()?,
            r.refused(i64::MAX, SAMPLES_READ)?.items,
        ))
    });
    let (counts, samples) = found.await?;
    let samples: Vec<Refused> = samples.into_iter().map(|(_, refused)| refused).collect();
    let text = wanted.text.trim().to_lowercase();
    let holds = |said: &str| said.to_lowercase().contains(&text);
    let has_example = |count: &RefusedCount| {
        of(&samples, count).any(|sample| holds(&sample.topic) || holds(&sample.sample))
    };
    let fits = |count: &RefusedCount| {
        let reason = ctx.lang.coded("reason-", count.reason.code());
        holds(&count.source) || holds(&reason) || has_example(count)
    };
    let groups = RefusedGroup::all(&counts, fits);
    let body = html! {
        p.back { a href="/devices" { (ctx.text(key::CONNECT_BACK)) } }
        section.panel {
            p.quiet { (ctx.text(key::DEVICES_REFUSED_NOTE)) }
            form.search.single method="get" action="/refused" role="search" {
                div {
                    label for="r-text" { (ctx.text(key::REFUSED_TEXT)) }
                    input #r-text name="text" type="search" maxlength="200" value=(wanted.text);
                }
                button type="submit" { (ctx.text(key::LOGS_SEARCH)) }
            }
            @if groups.is_empty() { p { (ctx.text(key::DEVICES_REFUSED_NONE)) } }
        }
        @for group in &groups { (one(&ctx, group, &samples)) }
    };
    let title = ctx.text(key::DEVICES_REFUSED);
    Ok(frame(&ctx, Place::Devices, &title, "", body))
}

/// The reasons that came up last, for the page of devices.
pub(crate) fn summary(ctx: &Ctx, counts: &[RefusedCount]) -> Markup {
    let groups = RefusedGroup::all(counts, |_| true);
    html! {
        section.panel #refused {
            div.panel-head {
                h2 { (ctx.text(key::DEVICES_REFUSED)) }
                span.quiet { (ctx.text(key::DEVICES_REFUSED_NOTE)) }
            }
            @if groups.is_empty() { p.quiet { (ctx.text(key::DEVICES_REFUSED_NONE)) } }
            @else {
                ol.events {
                    @for group in groups.iter().take(REASONS_IN_SUMMARY) {
                        li { time { (ctx.when(group.last_at())) } div { (head(ctx, group)) } }
                    }
                }
                p { a.button href="/refused" { (ctx.text(key::REFUSED_ALL)) } }
            }
        }
    }
}

fn head(ctx: &Ctx, group: &RefusedGroup<'_>) -> Markup {
    let times = grouped(group.times());
    html! {
        strong { (ctx.lang.coded("reason-", group.reason.code())) } " "
        span.quiet { (ctx.with(key::DEVICES_COUNT, &[("n", &times)])) }
    }
}

/// One reason: what to do, who it came from, and examples.
fn one(ctx: &Ctx, group: &RefusedGroup<'_>, samples: &[Refused]) -> Markup {
    let examples = || group.senders.iter().flat_map(|count| of(samples, count));
    let has_comma = examples().any(|sample| is_decimal_comma(&sample.sample));
    let is_number = matches!(
        group.reason,
        RefusalReason::NotJson | RefusalReason::WrongType
    );
    let is_rehearsed = group.senders.iter().all(|count| is_own(&count.source));
    let step = if is_rehearsed {
        ctx.text(key::REFUSED_OWN)
    } else if is_number && has_comma {
        ctx.text(key::REFUSED_COMMA)
    } else {
        ctx.lang.coded("step-", group.reason.code())
    };
    let place = place_of(group.reason).filter(|_| !is_rehearsed);
    html! {
        section.panel {
            div.panel-head { h2.reason { (head(ctx, group)) } }
            p { (step) }
            @if let Some((href, word)) = place { p { a.button href=(href) { (ctx.text(word)) } } }
            ol.events {
                @for count in group.senders.iter().take(SENDERS_SHOWN) {
                    (sender(ctx, count, samples))
                }
            }
        }
    }
}

fn sender(ctx: &Ctx, count: &RefusedCount, samples: &[Refused]) -> Markup {
    html! {
        li {
            time { (ctx.when(count.last_at)) }
            div {
                strong { (source(ctx, &count.source)) } " "
                span.quiet {
                    (ctx.with(key::DEVICES_COUNT, &[("n", &grouped(count.n))]))
                }
                @if let Some(sample) = of(samples, count).next() {
                    p { code.wrap { (sample.topic) "  " (sample.sample) } }
                }
            }
        }
    }
}

/// The examples of a sender and a reason, the newest first.
fn of<'a>(samples: &'a [Refused], count: &RefusedCount) -> impl Iterator<Item = &'a Refused> {
    let (source, reason) = (count.source.clone(), count.reason);
    let is_its = move |sample: &&Refused| sample.source == source && sample.reason == reason;
    samples.iter().filter(is_its)
}

/// Where a person mends it.
fn place_of(reason: RefusalReason) -> Option<(&'static str, Key)> {
    Some(match reason {
        RefusalReason::BadCredentials | RefusalReason::NameInUse => {
            ("/devices#register", key::DEVICES_ADD)
        }
        RefusalReason::ForeignTopic | RefusalReason::UnknownPoint => {
            ("/devices#arrived", key::ARRIVED_TITLE)
        }
        RefusalReason::NoTime | RefusalReason::RowTooWide => ("/files", key::FILES_TITLE),
        _ => return None,
    })
}

/// Whether a number stands there whose comma is its decimal point.
fn is_decimal_comma(sample: &str) -> bool {
    let mut words = sample.split(|c: char| c.is_whitespace() || "{}[]:;\"".contains(c));
    words.any(|word| {
        let parts = word.split_once(',');
        parts.is_some_and(|(whole, rest)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits(whole.trim_start_matches('-')) && digits(rest)
        })
    })
}

/// Where something came from; what the box tries itself is called that.
fn source(ctx: &Ctx, source: &str) -> String {
    if is_own(source) {
        ctx.text(key::DEVICES_SELF_CHECK)
    } else {
        source.to_owned()
    }
}

/// Whether the box itself sent it, to see that it is refused.
fn is_own(source: &str) -> bool {
    source == model::PROBER || source == model::TWIN || source == model::KNOCKS_FROM.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_comma_is_told_from_a_list() {
        for comma in ["0,619", "t=1 -12,5", "{\"power_w\":812,5}"] {
            assert!(is_decimal_comma(comma), "{comma}");
        }
        for other in ["812.5", "a,b", "", "warm", "1,2,3"] {
            assert!(!is_decimal_comma(other), "{other}");
        }
    }
}
