//! Who may send files.

use openline_protocol::{ErrorCode, Fault};

use crate::auth::Identity;
use crate::config::{Uploaders, Uploads};

/// Whether somebody may, who is nobody without an identity.
pub(crate) fn may_upload(config: &Uploads, identity: Option<&Identity>) -> Result<(), Fault> {
    let forbidden = |message: &str| Err(Fault::new(ErrorCode::Forbidden, message));
    if !config.enabled {
        return forbidden("this server takes no files (uploads.enabled)");
    }
    match (config.allow, identity.and_then(|identity| identity.uploads)) {
        (_, Some(false)) => forbidden("the token does not allow to send files"),
        (_, Some(true)) | (Uploaders::Anyone, None) => Ok(()),
        (Uploaders::Token, None) => {
            forbidden("only those send files whose token has the claim uploads (uploads.allow)")
        }
        (Uploaders::Authenticated, None) => match identity {
            Some(_) => Ok(()),
            None => Err(Fault::new(
                ErrorCode::Unauthorized,
                "who sends files has to authenticate first (uploads.allow)",
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_token_goes_before_the_config() {
        use ErrorCode::{Forbidden, Unauthorized};
        let token = |uploads| Some(Identity { uploads, ..Identity::default() });
        let check = |enabled, allow, identity: Option<Identity>| {
            let mut config = Config::default().uploads;
            (config.enabled, config.allow) = (enabled, allow);
            may_upload(&config, identity.as_ref()).map_err(|fault| fault.code)
        };
        for (allow, nobody, plain) in [
            (Uploaders::Anyone, Ok(()), Ok(())),
            (Uploaders::Authenticated, Err(Unauthorized), Ok(())),
            (Uploaders::Token, Err(Forbidden), Err(Forbidden)),
        ] {
            assert_eq!(check(true, allow, None), nobody, "{allow:?}");
            assert_eq!(check(true, allow, token(None)), plain, "{allow:?}");
            assert_eq!(check(true, allow, token(Some(true))), Ok(()), "{allow:?}");
            assert_eq!(check(true, allow, token(Some(false))), Err(Forbidden), "{allow:?}");
            assert_eq!(check(false, allow, token(Some(true))), Err(Forbidden), "{allow:?}");
        }
    }
}
