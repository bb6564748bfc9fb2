//! Hands a mail to the server that the factory named. The server has to prove who it is by a
//! certificate that this computer trusts.

use std::sync::Arc;
use std::time::Duration;

use mail_send::mail_builder::MessageBuilder;
use mail_send::mail_builder::headers::raw::Raw;
use mail_send::{Error, SmtpClient, SmtpClientBuilder};
use model::{MailSecurity, MailServer};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::failure::SendFailure;

/// Longest time until the server has taken a mail: it may look at it first.
const MAIL_TIME_MAX: Duration = Duration::from_secs(120);
/// Longest time to say goodbye.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// One message to one person, as the mail server gets it.
#[derive(Debug, Clone)]
pub struct Mail<'a> {
    /// The address it goes to.
    pub to: &'a str,
    /// One line, in the reader's language.
    pub subject: &'a str,
    /// What it says, as plain text in the reader's language.
    pub text: &'a str,
    /// What names it, the same for every try.
    pub id: &'a str,
    /// What goes with it.
    pub sheet: Option<MailSheet>,
}

/// A sheet that goes with a mail, as PDF.
#[derive(Clone)]
pub struct MailSheet {
    /// What the file is called.
    pub name: String,
    /// What is in it.
    pub pdf: Vec<u8>,
}

impl std::fmt::Debug for MailSheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailSheet({}, {} bytes)", self.name, self.pdf.len())
    }
}

/// Hands a mail over.
pub async fn send_mail(server: &MailServer, mail: &Mail<'_>) -> Result<(), SendFailure> {
    let sent = timeout(MAIL_TIME_MAX, hand_over(server, mail)).await;
    sent.unwrap_or(Err(Error::Timeout)).map_err(|error| {
        let code = match &error {
            Error::UnexpectedReply(reply) | Error::AuthenticationFailed(reply) => {
                let code = format!("smtp-{}", reply.code);
                return SendFailure::new(code, &format!("{} {}", reply.code, reply.message));
            }
            Error::Timeout => "timeout",
            Error::Tls(_) | Error::MissingStartTls | Error::InvalidTLSName => "tls",
            _ => "network",
        };
        SendFailure::new(code, &error.to_string())
    })
}

/// The way to the server; reading what this computer trusts takes a moment and happens elsewhere.
async fn way_to(server: &MailServer) -> Result<SmtpClientBuilder<String>, Error> {
    let (host, port) = (server.host.clone(), server.port);
    if server.security == MailSecurity::Plain {
        // Nothing is encrypted, so nobody has to be trusted.
        let nobody = ClientConfig::builder()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(nobody));
        return Ok(SmtpClientBuilder::new_with_tls_connector(
            host, port, connector,
        ));
    }
    let built = tokio::task::spawn_blocking(move || SmtpClientBuilder::new(host, port)).await;
    let other = |problem: String| Error::Io(std::io::Error::other(problem));
    built
        .map_err(|error| other(error.to_string()))?
        .map_err(other)
}

async fn hand_over(server: &MailServer, mail: &Mail<'_>) -> Result<(), Error> {
    let message = MessageBuilder::new()
        .from(("Mimamori", server.from.as_str()))
        .to(mail.to)
        .subject(mail.subject)
        .message_id(mail.id)
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(mail.text);
    let message = match &mail.sheet {
        Some(sheet) => {
            message.attachment("application/pdf", sheet.name.as_str(), sheet.pdf.as_slice())
        }
        None => message,
    };
    let builder = way_to(server).await?;
    let builder = builder
        .timeout(MAIL_TIME_MAX)
        .implicit_tls(server.security == MailSecurity::Tls);
    let builder = if server.user.is_empty() {
        builder
    } else {
        builder.credentials((server.user.clone(), server.password.clone()))
    };
    if server.security == MailSecurity::Plain {
        deliver(builder.connect_plain().await?, message).await
    } else {
        deliver(builder.connect().await?, message).await
    }
}

async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: SmtpClient<S>,
    message: MessageBuilder<'_>,
) -> Result<(), Error> {
    client.send(message).await?;
    // It has taken the mail; how it says goodbye changes nothing.
    timeout(GOODBYE_TIME_MAX, client.quit()).await.ok();
    Ok(())
}
