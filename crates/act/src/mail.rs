//! Hands a mail to the server that the factory named. The server has to prove who it is by a
//! certificate that this computer trusts.

use std::time::Duration;

use mail_send::mail_builder::MessageBuilder;
use mail_send::{Error, SmtpClientBuilder};
use model::{MailSecurity, MailServer};
use tokio::time::timeout;

/// Longest time for one mail, from the first packet to the server's word.
const MAIL_TIME_MAX: Duration = Duration::from_secs(30);

/// A mail.
#[derive(Debug, Clone)]
pub struct Mail<'a> {
    /// The address it goes to.
    pub to: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What names it, the same for every try.
    pub id: &'a str,
}

/// Hands a mail over; says why that failed in the words of the server or the system.
pub async fn send_mail(server: &MailServer, mail: &Mail<'_>) -> Result<(), String> {
    let sent = timeout(MAIL_TIME_MAX, hand_over(server, mail)).await;
    sent.map_err(|_| "no answer in time".to_owned())?
        .map_err(|error| match error {
            Error::UnexpectedReply(reply) | Error::AuthenticationFailed(reply) => {
                format!("{} {}", reply.code, reply.message)
            }
            other => other.to_string(),
        })
}

async fn hand_over(server: &MailServer, mail: &Mail<'_>) -> Result<(), Error> {
    let message = MessageBuilder::new()
        .from(("Mimamori", server.from.as_str()))
        .to(mail.to)
        .subject(mail.subject)
        .message_id(mail.id)
        .header(
            "Auto-Submitted",
            mail_send::mail_builder::headers::raw::Raw::new("auto-generated"),
        )
        .text_body(mail.text);
    let host = server.host.as_str();
    let builder = SmtpClientBuilder::new(host, server.port)
        .map_err(|problem| Error::Io(std::io::Error::other(problem)))?;
    let builder = builder
        .timeout(MAIL_TIME_MAX)
        .implicit_tls(server.security == MailSecurity::Tls);
    let builder = if server.user.is_empty() {
        builder
    } else {
        builder.credentials((server.user.as_str(), server.password.as_str()))
    };
    if server.security == MailSecurity::Plain {
        let mut client = builder.connect_plain().await?;
        client.send(message).await?;
        return client.quit().await.or(Ok(()));
    }
    let mut client = builder.connect().await?;
    client.send(message).await?;
    // It has taken the mail; how it says goodbye changes nothing.
    client.quit().await.or(Ok(()))
}
