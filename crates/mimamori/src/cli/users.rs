//! People at the terminal: the same words as the page, asked of the running program. What it does
//! leaves the same trace.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use model::Role;
use serde_json::json;
use services::console::{self, Answer, Listed, No, Request};
use text::Lang;

use crate::terminal::{note, say};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Own a box that nobody owns; gives a link that leads to choosing a password / 持ち主になる
    #[command(after_help = "Example / 例:\n  mimamori user claim Hanako --data /var/lib/mimamori")]
    Claim(NamedPerson),
    /// Let a person in; gives a link that works once / 招待する
    #[command(
        after_help = "Example / 例:\n  mimamori user invite Taro --role operator --data /var/lib/mimamori"
    )]
    Invite {
        #[command(flatten)]
        who: NamedPerson,
        /// owner, manager, maintenance, operator, coordinator, screen or customer / 役割
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// A token for a script or a screen; it is shown once / プログラムに鍵を渡す
    #[command(
        after_help = "Example / 例:\n  mimamori user token erp --role screen --data /var/lib/mimamori"
    )]
    Token {
        #[command(flatten)]
        what: NamedPerson,
        /// What it may do, as a role / できること(役割)
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// A person may no longer come in / ログインできなくする
    #[command(after_help = "Example / 例:\n  mimamori user end Taro --data /var/lib/mimamori")]
    End(NamedPerson),
    /// A token no longer lets anybody in / 鍵を終わりにする
    #[command(after_help = "Example / 例:\n  mimamori user end-token 7 --data /var/lib/mimamori")]
    EndToken {
        /// Its number, as the list shows it / 番号
        id: i64,
        #[command(flatten)]
        at: RunningAt,
    },
    /// Who may come in, and which tokens there are / 一覧
    #[command(after_help = "Example / 例:\n  mimamori user list --data /var/lib/mimamori")]
    List(RunningAt),
    /// A link for who cannot come in any more; forgets the password / 入れなくなった人のリンク
    #[command(after_help = "Example / 例:\n  mimamori user link Hanako --data /var/lib/mimamori")]
    Link(NamedPerson),
}

/// Where the program runs, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct RunningAt {
    /// The data folder of the running program / 動いている Mimamori のデータの置き場所
    #[arg(long)]
    data: PathBuf,
    /// Print JSON / JSON で表示
    #[arg(long)]
    json: bool,
}

/// A name, and where.
#[derive(Debug, Args)]
pub(crate) struct NamedPerson {
    /// Who it is about, as people call them / 人の名前
    name: String,
    #[command(flatten)]
    at: RunningAt,
}

fn role(text: &str) -> Result<Role, String> {
    let all = Role::ALL
        .iter()
        .map(|role| role.code())
        .collect::<Vec<_>>()
        .join(", ");
    Role::from_code(text).ok_or_else(|| format!("{text:?} is none of {all}"))
}

/// Asks the running program and says what it answers.
pub(crate) async fn run(command: UserCommand, lang: Lang) -> anyhow::Result<bool> {
    let (request, at) = match command {
        UserCommand::Claim(NamedPerson { name, at }) => (Request::Claim { name }, at),
        UserCommand::Invite { who, role } => {
            let name = who.name;
            (Request::Invite { name, role }, who.at)
        }
        UserCommand::Token { what, role } => {
            let label = what.name;
            (Request::Token { label, role }, what.at)
        }
        UserCommand::End(NamedPerson { name, at }) => (Request::End { name }, at),
        UserCommand::EndToken { id, at } => (Request::EndToken { id }, at),
        UserCommand::List(at) => (Request::List, at),
        UserCommand::Link(NamedPerson { name, at }) => {
            let forgets = true;
            (Request::Link { name, forgets }, at)
        }
    };
    match console::ask(&at.data, &request).await? {
        Answer::No(no) => bail!("{}", why(no, lang)),
        answer if at.json => say(&as_json(&answer).to_string()),
        Answer::Link(link) => {
            say(&link);
            note(lang.pick(
                "  一度だけ使えます。本人にだけ渡してください",
                "  it works once: show it only to the person",
            ));
        }
        Answer::Token(token) => {
            say(&token);
            note(lang.pick(
                "  Authorization: Bearer に入れて使います。もう表示しません",
                "  sent as Authorization: Bearer; it will not be shown again",
            ));
        }
        Answer::Done => say(lang.pick("終わりにしました", "ended")),
        // Nobody asks for a table here.
        Answer::Table(_) | Answer::NotDone(_) | Answer::Devices(_) => {}
        Answer::List(people, tokens) => print_lists(&people, &tokens, lang),
    }
    Ok(true)
}

fn as_json(answer: &Answer) -> serde_json::Value {
    match answer {
        Answer::Link(link) => json!({ "link": link }),
        Answer::Token(token) => json!({ "token": token }),
        Answer::List(people, tokens) => json!({"people": people, "tokens": tokens}),
        _ => json!({"done": matches!(answer, Answer::Done)}),
    }
}

fn print_lists(people: &[Listed], tokens: &[Listed], lang: Lang) {
    say(lang.pick("ログインできる人:", "Who may come in:"));
    for person in people {
        let factor = if person.has_second_factor {
            lang.pick("二段階認証あり", "second factor")
        } else {
            ""
        };
        say(&format!(
            "  {}  {}  {factor}",
            person.name,
            person.role.code()
        ));
    }
    if !tokens.is_empty() {
        say(lang.pick("渡した鍵:", "Tokens:"));
    }
    for token in tokens {
        say(&format!(
            "  {}  {}  {}",
            token.id,
            token.name,
            token.role.code()
        ));
    }
}

/// Why it was not done, in words.
fn why(no: No, lang: Lang) -> &'static str {
    match no {
        No::Unknown => lang.pick(
            "その名前や番号はありません",
            "there is none of this name or number",
        ),
        No::Owned => lang.pick(
            "この本体にはもう持ち主がいます",
            "somebody owns this box already",
        ),
        No::Name => lang.pick(
            "名前は 1~40 文字で、ほかの人と違うものにしてください",
            "a name has 1 to 40 characters and differs from everybody else's",
        ),
        No::LastOwner => lang.pick(
            "最後の持ち主は終わりにできません",
            "the last owner cannot be ended",
        ),
        No::TooMany => lang.pick("人か鍵が多すぎます", "there are too many people or tokens"),
        No::Busy => lang.pick("いまはできません", "this cannot be done right now"),
    }
}
