//! The photo of a machine: taken with a telephone or chosen from files, shown where the machine is.

use app::commands::{Command, Orders};
use app::keeping::Keeping;
use app::known::Known;
use app::photos::{self, PhotoChange};
use app::views::MachineView;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::multipart::MultipartRejection;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, NoContent, Redirect, Response};
use identity::Who;
use maud::{Markup, html};
use model::Right;
use text::{Key, key};
use tokio::sync::Semaphore;
use wire::photo::{PhotoProblem, small};

use super::entry::refused_page;
use super::{Ctx, Place, problem_box};
use crate::http::access::{JUDGE, LOOK};
use crate::http::asked::{Asked, Visitor};
use crate::http::failure::Failure;
use crate::http::route::{Route, api, page};
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[
    page!(get "/machines/{id}/photo", LOOK, show),
    page!(post "/machines/{id}/photo", JUDGE, put, DefaultBodyLimit::max(BYTES_MAX)),
    page!(post "/machines/{id}/photo/remove", JUDGE, remove),
    api!(
        put "/api/v1/machines/{id}/photo", JUDGE, put_by_script,
        "Keeps a photo of a machine (JPEG, at most 16 MB): the picture alone, made small",
        takes &["image/jpeg"]
    ),
];

/// Largest photo that is taken.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Making one small takes up to 150 MB for a moment: one at a time.
static AT_WORK: Semaphore = Semaphore::const_new(1);

part! {
    /// What photos need.
    PhotoPart {
        known: Known,
        orders: Orders,
    }
}

/// Why a photo is not kept.
enum PhotoWrong {
    Photo(PhotoProblem),
    /// Nothing was chosen, or it was cut off.
    Missing,
    Failed(Failure),
}

impl PhotoWrong {
    fn why(&self) -> Key {
        match self {
            Self::Photo(PhotoProblem::TooLarge) => key::PHOTO_TOO_LARGE,
            Self::Photo(PhotoProblem::NotJpeg) => key::PHOTO_NOT_JPEG,
            Self::Missing | Self::Failed(_) => key::PHOTO_MISSING,
        }
    }
}

/// The photo. Its address changes with it, so that a browser need not ask again.
pub(crate) async fn show(
    State(known): State<Known>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let Some(machine) = known.board().machine(&id).map(|machine| machine.id.clone()) else {
        return Err(Failure::not_found());
    };
    let jpeg = photos::photo(&known, &machine).await?;
    let jpeg = jpeg.ok_or_else(Failure::not_found)?;
    let headers = [
        (CONTENT_TYPE, "image/jpeg"),
        (CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ];
    Ok((headers, jpeg).into_response())
}

/// Keeps a photo that a person took or chose.
pub(crate) async fn put(
    State(site): State<PhotoPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let machine = site.known.board().machine(&id).cloned();
    let machine = machine.ok_or_else(Failure::not_found)?;
    let kept = match form {
        Ok(form) => match sent(form).await {
            Some(bytes) => keep(&site, &visitor.who, &machine, bytes).await,
            None => Err(PhotoWrong::Missing),
        },
        Err(_) => Err(PhotoWrong::Missing),
    };
    match kept {
        Ok(()) => Ok(Redirect::to(&format!("/settings#set-{id}")).into_response()),
        Err(PhotoWrong::Failed(failure)) => Err(failure),
        Err(wrong) => {
            let ctx = Ctx::new(&site.known, &visitor);
            let body = html! {
                p.back { a href={ "/settings#set-" (id) } { "‹ " (ctx.text(key::SETTINGS_TITLE)) } }
                (problem_box(&ctx.text(wrong.why())))
                section.panel { (form_of(&ctx, &machine)) }
            };
            let title = machine.names.of(ctx.lang);
            Ok(refused_page(&ctx, Place::Settings, title, body))
        }
    }
}

/// The file of a form.
async fn sent(mut form: Multipart) -> Option<Bytes> {
    while let Some(field) = form.next_field().await.ok()? {
        if field.name() == Some("photo") {
            let bytes = field.bytes().await.ok()?;
            return (!bytes.is_empty()).then_some(bytes);
        }
    }
    None
}

/// Keeps a photo that a script sends.
pub(crate) async fn put_by_script(
    State(site): State<PhotoPart>,
    Asked(who): Asked<Who>,
    Path(id): Path<String>,
    body: Body,
) -> Result<NoContent, Failure> {
    let machine = site.known.board().machine(&id).cloned();
    let machine = machine.ok_or_else(Failure::not_found)?;
    let bytes = to_bytes(body, BYTES_MAX).await;
    let bytes = bytes.map_err(|_| refused(&PhotoWrong::Missing))?;
    match keep(&site, &who, &machine, bytes).await {
        Ok(()) => Ok(NoContent),
        Err(PhotoWrong::Failed(failure)) => Err(failure),
        Err(wrong) => Err(refused(&wrong)),
    }
}

fn refused(wrong: &PhotoWrong) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "photo", wrong.why())
}

async fn keep(
    site: &PhotoPart,
    who: &Who,
    machine: &MachineView,
    bytes: Bytes,
) -> Result<(), PhotoWrong> {
    let turn = AT_WORK.acquire().await;
    let make = move || {
        // Held by the work itself: it goes on when whoever asked has gone.
        let _turn = turn;
        small(&bytes)
    };
    let made = tokio::task::spawn_blocking(make).await;
    let jpeg = made.unwrap_or(Err(PhotoProblem::NotJpeg));
    let jpeg = jpeg.map_err(PhotoWrong::Photo)?;
    change(site, who, machine, Some(jpeg))
        .await
        .map_err(PhotoWrong::Failed)
}

/// The machine has none any more.
pub(crate) async fn remove(
    State(site): State<PhotoPart>,
    Asked(visitor): Asked<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let machine = site.known.board().machine(&id).cloned();
    let machine = machine.ok_or_else(Failure::not_found)?;
    change(&site, &visitor.who, &machine, None).await?;
    Ok(Redirect::to(&format!("/settings#set-{id}")).into_response())
}

async fn change(
    site: &PhotoPart,
    who: &Who,
    machine: &MachineView,
    jpeg: Option<Vec<u8>>,
) -> Result<(), Failure> {
    let by = who.actor();
    let change = PhotoChange::new(machine.id.clone(), jpeg, site.known.now(), &by);
    site.orders
        .give(Command::Keep(Keeping::Photo(change)), &by)
        .await?;
    Ok(())
}

/// The photo of a machine, if it has one.
pub(super) fn picture(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        @if let Some(mark) = &machine.photo {
            @let name = machine.names.of(ctx.lang);
            img.photo src={ "/machines/" (machine.id) "/photo?v=" (mark) } loading="lazy"
                alt=(ctx.with(key::PHOTO_OF, &[("name", name)]));
        }
    }
}

/// Where one is taken or chosen.
pub(super) fn form_of(ctx: &Ctx, machine: &MachineView) -> Markup {
    html! {
        div.photo-form {
            (picture(ctx, machine))
            @if ctx.may(Right::Judge) {
                form.plain method="post" action={ "/machines/" (machine.id) "/photo" }
                    enctype="multipart/form-data" data-photo {
                    label.button {
                        (ctx.text(match machine.photo {
                            Some(_) => key::PHOTO_OTHER,
                            None => key::PHOTO_TAKE,
                        }))
                        input.unseen type="file" name="photo" accept="image/*";
                    }
                    p.problem role="alert" hidden { (ctx.text(key::PHOTO_CUT_OFF)) }
                    noscript { button type="submit" { (ctx.text(key::MACHINE_SAVE)) } }
                }
                @if machine.photo.is_some() {
                    form.plain method="post" action={ "/machines/" (machine.id) "/photo/remove" } {
                        button type="submit" { (ctx.text(key::PHOTO_REMOVE)) }
                    }
                }
            }
        }
    }
}
