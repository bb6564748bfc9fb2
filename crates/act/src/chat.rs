//! Writes into chats: LINE (Messaging API, "Send push message" and "Send broadcast message"), Slack
//! (incoming webhooks), Microsoft Teams (a workflow that takes webhooks: a message with one
//! Adaptive Card of version 1.2).

use std::fmt;

use model::ChatService;
use serde_json::{Value, json};

use crate::failure::SendFailure;
use crate::post::{Post, deliver};

/// Where LINE takes messages.
const LINE: &str = "https://api.line.me";
/// Longest text of a message; LINE takes 5,000 units of UTF-16, of which a letter is two at most.
const CHAT_CHARS_MAX: usize = 2_400;
/// LINE's answer to a message that it took before.
const LINE_TAKEN_BEFORE: u16 = 409;

/// What is written into a chat.
#[derive(Clone)]
pub struct ChatMessage {
    /// Which makes the form of it.
    pub service: ChatService,
    /// Where it goes: an address that is a secret, or LINE's, its own if empty.
    pub url: String,
    /// LINE's access token.
    pub token: String,
    /// LINE: to whom; empty for everybody.
    pub to: String,
    /// What names it, the same for every try: 32 hexadecimal digits.
    pub id: String,
    /// Its first line.
    pub title: String,
    /// The lines below.
    pub text: String,
}

/// Without what is secret.
impl fmt::Debug for ChatMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatMessage")
            .field("service", &self.service)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Sends it; says why that failed, without the address.
pub async fn send_chat(message: ChatMessage) -> Result<(), SendFailure> {
    let secret = message.url.clone();
    let sent = deliver(message.post()).await;
    sent.map_err(|failure| SendFailure {
        text: if secret.is_empty() {
            failure.text
        } else {
            failure.text.replace(&secret, "…")
        },
        ..failure
    })
}

impl ChatMessage {
    fn post(self) -> Post {
        let whole: String = format!("{}\n{}", self.title, self.text)
            .trim()
            .chars()
            .take(CHAT_CHARS_MAX)
            .collect();
        match self.service {
            ChatService::Line => self.line(&whole),
            ChatService::Slack => plain(self.url, &json!({"text": escaped(&whole)})),
            ChatService::Teams => plain(self.url, &card(&whole)),
        }
    }

    fn line(self, text: &str) -> Post {
        let base = if self.url.is_empty() { LINE } else { &self.url };
        let base = base.trim_end_matches('/');
        let messages = json!([{"type": "text", "text": text}]);
        let (way, body) = if self.to.is_empty() {
            ("broadcast", json!({"messages": messages}))
        } else {
            ("push", json!({"to": self.to, "messages": messages}))
        };
        Post {
            url: format!("{base}/v2/bot/message/{way}"),
            headers: vec![
                ("Authorization", format!("Bearer {}", self.token)),
                ("X-Line-Retry-Key", uuid(&self.id)),
            ],
            body: body.to_string(),
            taken_before: Some(LINE_TAKEN_BEFORE),
        }
    }
}

fn plain(url: String, body: &Value) -> Post {
    Post {
        url,
        headers: Vec::new(),
        body: body.to_string(),
        taken_before: None,
    }
}

/// Letters that Slack takes for its own.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// A card with a block for each line, the first one bold. What a card would take for marks of its
/// own stays as it was written.
fn card(text: &str) -> Value {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let blocks = lines.enumerate().map(|(n, line)| {
        let weight = if n == 0 { "Bolder" } else { "Default" };
        json!({"type": "TextBlock", "text": unmarked(line.trim()), "wrap": true,
            "weight": weight, "spacing": "Small"})
    });
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": blocks.collect::<Vec<_>>(),
    });
    json!({"type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": content,
    }]})
}

fn unmarked(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for letter in line.chars() {
        if matches!(letter, '*' | '_' | '[' | ']' | '\\' | '`' | '#') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// A name of 32 digits in the form of a UUID.
fn uuid(id: &str) -> String {
    let mut form = String::with_capacity(36);
    for (n, digit) in id.chars().enumerate() {
        if matches!(n, 8 | 12 | 16 | 20) {
            form.push('-');
        }
        form.push(digit);
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_message_is_a_uuid_for_line() {
        let id = uuid("0123456789abcdef0123456789abcdef");
        assert_eq!(id, "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn a_long_message_is_cut_and_marks_are_letters() {
        let message = |service| ChatMessage {
            service,
            url: "http://chat.example/hook".to_owned(),
            token: "t".to_owned(),
            to: String::new(),
            id: "0".repeat(32),
            title: "プレス <3> & *4*".to_owned(),
            text: "長".repeat(9_000),
        };
        let slack = message(ChatService::Slack).post().body;
        assert!(slack.contains("プレス &lt;3&gt; &amp; *4*"), "{slack}");
        let teams = message(ChatService::Teams).post().body;
        assert!(teams.contains(r"プレス <3> & \\*4\\*"), "{teams}");
        let line = message(ChatService::Line).post();
        assert!(line.body.chars().count() < 2_500);
        assert_eq!(
            line.url,
            "http://chat.example/hook/v2/bot/message/broadcast"
        );
    }
}
