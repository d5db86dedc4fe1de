use openline_client::{AuthError, BuildError, Client, Error, Why};

fn client(url: &str) -> Result<Client, BuildError> {
    Client::builder(url)?
        .auth(|cx| async move {
            // With Why::Expired the one before will not do; a cache is to be passed by.
            let token = token(cx.why == Why::Expired).await;
            let token = token.map_err(|error| AuthError::retry(format!("no token: {error}")))?;
            token.map(Some).ok_or_else(|| AuthError::fatal("nobody is logged in"))
        })
        .build()
}

/// Asks the backend; none where nobody is logged in.
async fn token(_is_new_wanted: bool) -> Result<Option<String>, std::io::Error> {
    Ok(None)
}

async fn connect(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    match client(url)?.connect().await {
        Err(Error::Stopped { reason, .. }) => Err(format!("log in: {reason}").into()),
        other => Ok(other?),
    }
}
