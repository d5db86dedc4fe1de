//! [`Source`]: the bytes of a file, and as many of those given before as can be given again.

use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt};

use crate::error::Error;

/// Bytes that are read at once where they are not wanted.
const PASSED_MAX: usize = 64 * 1024;

type Seeking<'a> = Pin<Box<dyn Future<Output = io::Result<u64>> + Send + 'a>>;

/// Goes to a place in the file if it is that long. Returns how long it is.
type Seek<R> = for<'a> fn(&'a mut R, u64) -> Seeking<'a>;

/// A reader that can go back to what is not released: as much as was under way, so its bound is that
/// of whoever sends.
pub(super) struct Source<R> {
    reader: R,
    /// Where in the file the reader is, but for what it has filled.
    read: u64,
    /// The beginning of the next chunk.
    filling: BytesMut,
    /// Where in the file the next chunk begins; before `read` where chunks are given again.
    next: u64,
    /// What was given and is not released, up to `read`.
    kept: VecDeque<Kept>,
    seek: Option<Seek<R>>,
}

struct Kept {
    offset: u64,
    data: Bytes,
}

impl Kept {
    fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }
}

impl<R: AsyncRead + Send + Unpin> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        let (filling, kept) = (BytesMut::new(), VecDeque::new());
        Self { reader, read: 0, filling, next: 0, kept, seek: None }
    }

    /// From now on it can go anywhere.
    pub(super) fn make_seekable(&mut self)
    where
        R: AsyncSeek,
    {
        self.seek = Some(seek);
    }

    /// The next chunk is to begin here.
    pub(super) async fn go_to(&mut self, offset: u64) -> Result<(), Error> {
        let is_kept = self.kept.front().is_some_and(|oldest| oldest.offset <= offset);
        if is_kept && offset <= self.read {
            self.next = offset;
            return Ok(());
        }
        let end = match self.seek {
            Some(seek) => {
                self.filling.clear();
                seek(&mut self.reader, offset).await.map_err(unreadable)?
            }
            None if offset >= self.read => self.read_past(offset).await?,
            None => {
                return Err(Error::Payload(format!(
                    "the server has only {offset} bytes of the file, and its reader cannot go back \
                     there: send it from its beginning, under the same key"
                )));
            }
        };
        if end < offset {
            return Err(Error::Payload(format!(
                "the server has {offset} bytes of the file, and it has only {end}"
            )));
        }
        self.kept.clear();
        (self.read, self.next) = (offset, offset);
        Ok(())
    }

    /// Reads on to here. Returns where the reader is then: before that if the file ends there.
    async fn read_past(&mut self, offset: u64) -> Result<u64, Error> {
        while self.read < offset {
            let left = usize::try_from(offset - self.read).unwrap_or(PASSED_MAX);
            if self.read_on(left.min(PASSED_MAX)).await?.is_empty() {
                break;
            }
            self.kept.clear();
        }
        Ok(self.read)
    }

    /// Where the next chunk begins, and the chunk: at most so many bytes, none at the end of the file.
    /// May be dropped at any time, and loses nothing.
    pub(super) async fn read(&mut self, max: usize) -> Result<(u64, Bytes), Error> {
        let offset = self.next;
        let kept = self.kept.iter().find(|kept| kept.offset <= offset && offset < kept.end());
        let data = match kept {
            Some(kept) => {
                let mut data = kept.data.slice((offset - kept.offset) as usize..);
                data.truncate(max);
                data
            }
            None => self.read_on(max).await?,
        };
        self.next += data.len() as u64;
        Ok((offset, data))
    }

    async fn read_on(&mut self, max: usize) -> Result<Bytes, Error> {
        self.filling.reserve(max.saturating_sub(self.filling.len()));
        while self.filling.len() < max {
            let left = (max - self.filling.len()) as u64;
            let read = (&mut self.reader).take(left).read_buf(&mut self.filling).await;
            if read.map_err(unreadable)? == 0 {
                break;
            }
        }
        let len = max.min(self.filling.len());
        let data = self.filling.split_to(len).freeze();
        if !data.is_empty() {
            self.kept.push_back(Kept { offset: self.read, data: data.clone() });
            self.read += data.len() as u64;
        }
        Ok(data)
    }

    /// What is before this is stored, and not asked for again.
    pub(super) fn release(&mut self, offset: u64) {
        while self.kept.front().is_some_and(|oldest| oldest.end() <= offset) {
            self.kept.pop_front();
        }
    }
}

fn seek<R: AsyncSeek + Send + Unpin>(reader: &mut R, offset: u64) -> Seeking<'_> {
    Box::pin(async move {
        let end = reader.seek(SeekFrom::End(0)).await?;
        if end >= offset {
            reader.seek(SeekFrom::Start(offset)).await?;
        }
        Ok(end)
    })
}

fn unreadable(error: io::Error) -> Error {
    Error::Payload(format!("the file cannot be read: {error}"))
}
