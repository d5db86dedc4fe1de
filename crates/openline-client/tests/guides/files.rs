use std::io::Cursor;

use openline_client::{Client, Error};

async fn send(client: &Client) -> Result<String, Error> {
    // A file of tokio's will do as well: whatever is AsyncRead.
    let bytes = vec![0_u8; 300_000];
    let upload =
        client.upload(Cursor::new(bytes), "cat.jpg").size(300_000).content_type("image/jpeg");
    let control = upload.control();
    let mut stored = control.stored();
    tokio::spawn(async move {
        while stored.changed().await.is_ok() {
            println!("{} bytes are stored", *stored.borrow());
        }
    });
    let file = upload.await?;
    Ok(file.url.to_string())
}
