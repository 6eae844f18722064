//! What Froxlor says when it does not do a thing.

/// Why a command was not (or not fully) carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A status and an English text, whatever the admin's language.
    Plain(u16, String),
    /// A refusal by validation: status 400, in the admin's language.
    Complaint(Complaint),
    /// No credentials reached PHP: status 401 with a challenge, which other 401 don't have.
    NoCredentials,
    /// PHP died: status 500 and nothing else.
    Fatal,
}

impl Failure {
    pub(super) fn plain<T>(status: u16, text: impl Into<String>) -> Result<T, Self> {
        Err(Failure::Plain(status, text.into()))
    }
}

impl From<Complaint> for Failure {
    fn from(complaint: Complaint) -> Self {
        Failure::Complaint(complaint)
    }
}

/// Froxlor's standard errors, those that are translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    LoginExists(String),
    LoginCharacters(String),
    LoginLength(usize),
    LoginOnSystem(String),
    LoginPrefix(String),
    LoginReserved(String),
    DirectoryExists(String),
    EmailWrong(String),
    EmailInUse(String),
    Missing(&'static str),
    TooMuch,
    NoPhpConfig,
    PasswordShort(u64),
    PasswordSimple,
    MailFailed(String),
    Format(&'static str),
    DomainExists(String),
    ValidTime,
}

impl Complaint {
    /// The text, in German for `de`, else in English.
    pub(super) fn text(&self, language: &str) -> String {
        if language == "de" {
            self.german()
        } else {
            self.english()
        }
    }

    fn english(&self) -> String {
        match self {
            Complaint::LoginExists(name) => format!("Loginname {name} already exists"),
            Complaint::LoginCharacters(name) => {
                format!("Loginname \"{name}\" contains illegal characters.")
            }
            Complaint::LoginLength(most) => {
                format!(
                    "Loginname contains too many characters. Only {most} characters are allowed."
                )
            }
            Complaint::LoginOnSystem(name) => format!(
                "The account \"{name}\" already exists on the system and cannot be used. Please enter another account name."
            ),
            Complaint::LoginPrefix(prefix) => format!(
                "You cannot create accounts that begin with \"{prefix}\", as this prefix is set to be used for the \
                 automatic account-naming. Please enter another account name."
            ),
            Complaint::LoginReserved(name) => {
                format!(
                    "The account-name \"{name}\" is reserved for system internals and cannot be used."
                )
            }
            Complaint::DirectoryExists(path) => format!(
                "The directory \"{path}\" already exists for this customer. Please remove this before adding the \
                 customer again."
            ),
            Complaint::EmailWrong(email) => {
                format!("Email-address {email} contains invalid characters or is incomplete")
            }
            Complaint::EmailInUse(email) => format!("Email-address {email} already in use."),
            Complaint::Missing(field) => format!("Missing Input in Field {field}"),
            Complaint::TooMuch => {
                "You cannot allocate more resources than you own for yourself.".to_owned()
            }
            Complaint::NoPhpConfig => {
                "Customer has PHP activated but no PHP-configuration was selected.".to_owned()
            }
            Complaint::PasswordShort(least) => {
                format!(
                    "The given password is too short. Please enter at least {least} characters."
                )
            }
            // The blank that is missing is missing there too.
            Complaint::PasswordSimple => {
                "The specified password-complexity was not satisfied.Please contact your \
                administrator if you have any questions about the complexity-specification"
                    .to_owned()
            }
            Complaint::MailFailed(email) => format!("The message to \"{email}\" failed"),
            Complaint::Format(field) => {
                format!("The value for the field \"{field}\" is not in the expected format.")
            }
            Complaint::DomainExists(domain) => {
                format!("The domain {domain} is already assigned to a customer")
            }
            Complaint::ValidTime => {
                "Valid time in seconds can only be between 10 and 120".to_owned()
            }
        }
    }

    fn german(&self) -> String {
        match self {
            Complaint::LoginExists(name) => format!("Der Login-Name \"{name}\" existiert bereits."),
            Complaint::LoginCharacters(name) => {
                format!("Der Login-Name \"{name}\" enthält unerlaubte Zeichen.")
            }
            Complaint::LoginLength(most) => {
                format!("Der Login-Name ist zu lang. Er darf höchstens {most} Zeichen haben.")
            }
            Complaint::LoginOnSystem(name) => {
                format!(
                    "Das Konto \"{name}\" gibt es auf dem System schon. Bitte einen anderen Namen wählen."
                )
            }
            Complaint::LoginPrefix(prefix) => {
                format!(
                    "Konten dürfen nicht mit \"{prefix}\" beginnen: so beginnen die automatischen Namen."
                )
            }
            Complaint::LoginReserved(name) => {
                format!("Der Name \"{name}\" ist dem System vorbehalten.")
            }
            Complaint::DirectoryExists(path) => format!(
                "Das Verzeichnis \"{path}\" existiert für diesen Kunden bereits. Bitte erst entfernen."
            ),
            Complaint::EmailWrong(email) => {
                format!(
                    "Die E-Mail-Adresse {email} ist unvollständig oder enthält ungültige Zeichen."
                )
            }
            Complaint::EmailInUse(email) => {
                format!("Die E-Mail-Adresse {email} wird bereits benutzt.")
            }
            Complaint::Missing(field) => format!("Fehlende Eingabe im Feld {field}"),
            Complaint::TooMuch => {
                "Sie können nicht mehr verteilen, als Sie selbst haben.".to_owned()
            }
            Complaint::NoPhpConfig => {
                "PHP ist eingeschaltet, aber keine PHP-Konfiguration gewählt.".to_owned()
            }
            Complaint::PasswordShort(least) => {
                format!("Das Passwort ist zu kurz. Es braucht mindestens {least} Zeichen.")
            }
            Complaint::PasswordSimple => "Das Passwort ist nicht komplex genug.".to_owned(),
            Complaint::MailFailed(email) => {
                format!("Die Nachricht an \"{email}\" ist fehlgeschlagen.")
            }
            Complaint::Format(field) => {
                format!("Der Wert des Feldes \"{field}\" hat nicht das erwartete Format.")
            }
            Complaint::DomainExists(domain) => {
                format!("Die Domain {domain} gehört bereits einem Kunden.")
            }
            Complaint::ValidTime => {
                "Die Gültigkeit darf nur 10 bis 120 Sekunden betragen.".to_owned()
            }
        }
    }
}
