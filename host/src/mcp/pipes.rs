//! The lines of standard input and output.
//!
//! Pipes and sockets are waited for by the runtime itself: a thread of their own between it and the client costs
//! each message two more switches of threads. Whatever cannot be waited for that way (files, terminals, other
//! systems) has such a thread. Neither is ever made non-blocking: whoever else has them would see that, too.

use std::io::{BufRead, Read, Write};

use anyhow::Result;
use tokio::sync::{mpsc, oneshot};

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 4 << 20;
/// Messages under way between the runtime and a thread.
const QUEUE: usize = 64;

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// Standard input, line by line.
pub(super) enum Input {
    #[cfg(unix)]
    Ready(ready::Reader),
    Thread(mpsc::Receiver<Line>),
}

impl Input {
    /// # Errors
    /// Where there can be no thread.
    pub(super) fn start() -> Result<Self> {
        #[cfg(unix)]
        if let Some(reader) = ready::Reader::of(std::io::stdin()) {
            return Ok(Self::Ready(reader));
        }
        let (send, lines) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("stdin".into()).spawn(move || read_lines(&send))?;
        Ok(Self::Thread(lines))
    }

    /// The next line; nothing at the end. What was read stays where this is dropped before it is done.
    pub(super) async fn next(&mut self) -> Option<Line> {
        match self {
            #[cfg(unix)]
            Self::Ready(reader) => reader.next().await,
            Self::Thread(lines) => lines.recv().await,
        }
    }
}

/// Standard output. What is sent is written as a line; the second value comes when the sender is gone and all is
/// written.
///
/// # Errors
/// Where there can be no thread.
pub(super) fn output() -> Result<(mpsc::Sender<String>, oneshot::Receiver<()>)> {
    let (send, texts) = mpsc::channel(QUEUE);
    let (done, written) = oneshot::channel();
    #[cfg(unix)]
    if let Some(writer) = ready::Writer::of(std::io::stdout()) {
        tokio::spawn(async move {
            writer.write_lines(texts).await;
            // Nobody waits for it any more where the server has already gone.
            let _ = done.send(());
        });
        return Ok((send, written));
    }
    std::thread::Builder::new().name("stdout".into()).spawn(move || {
        write_lines(texts);
        let _ = done.send(());
    })?;
    Ok((send, written))
}

fn read_lines(lines: &mpsc::Sender<Line>) {
    let mut input = std::io::stdin().lock();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    loop {
        let mut bytes = Vec::new();
        let line = match input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(read) if read == MAX_LINE && !bytes.ends_with(b"\n") => {
                if input.skip_until(b'\n').is_err() {
                    return;
                }
                Line::TooLong
            }
            Ok(_) => Line::Text(bytes),
        };
        if lines.blocking_send(line).is_err() {
            return;
        }
    }
}

fn write_lines(mut texts: mpsc::Receiver<String>) {
    let mut output = std::io::stdout().lock();
    while let Some(mut text) = texts.blocking_recv() {
        text.push('\n');
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

/// Cuts what was read into lines.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// So many of them were looked through already.
    seen: usize,
    /// Within a line that is too long.
    skipping: bool,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<Line> {
        loop {
            let rest = self.bytes.get(self.seen..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest).map(|at| self.seen + at + 1);
            let fits = end.unwrap_or(self.bytes.len()) <= MAX_LINE;
            match end {
                Some(end) => {
                    let rest = self.bytes.split_off(end);
                    let line = std::mem::replace(&mut self.bytes, rest);
                    self.seen = 0;
                    match std::mem::take(&mut self.skipping) {
                        true => continue,
                        false if fits => return Some(Line::Text(line)),
                        false => return Some(Line::TooLong),
                    }
                }
                None if fits => {
                    self.seen = self.bytes.len();
                    return None;
                }
                None => {
                    self.bytes.clear();
                    self.seen = 0;
                    if !std::mem::replace(&mut self.skipping, true) {
                        return Some(Line::TooLong);
                    }
                }
            }
        }
    }

    /// What is left at the end of input: a line that lacks its end.
    fn last(&mut self) -> Option<Line> {
        self.seen = 0;
        let line = std::mem::take(&mut self.bytes);
        (!line.is_empty() && !self.skipping).then_some(Line::Text(line))
    }
}

#[cfg(unix)]
mod ready {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::sync::mpsc;

    use super::{Line, Lines};

    /// So many bytes a pipe takes at once when it says that it takes any.
    const PIPE_BUF: usize = 4096;
    /// What is read at once, in bytes.
    const CHUNK: usize = 64 << 10;

    /// The runtime's watch over a pipe or socket; nothing where it is neither, or cannot be watched.
    fn watched<T: AsFd + AsRawFd>(end: T, interest: Interest) -> Option<AsyncFd<T>> {
        let kind = FileType::from_raw_mode(fstat(&end).ok()?.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::Socket) {
            return None;
        }
        // SAFETY: standard input and output stay open, and are the same, as long as the program runs.
        #[expect(unsafe_code, reason = "the runtime cannot tell that a descriptor stays what it is")]
        let watched = unsafe { AsyncFd::register_with_interest(end, interest) };
        watched.ok()
    }

    /// [`io::ErrorKind::WouldBlock`] unless it is ready for this just now.
    fn ready(end: &impl AsFd, what: PollFlags) -> io::Result<()> {
        let mut ends = [PollFd::new(end, what)];
        match poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    pub(in super::super) struct Reader {
        input: AsyncFd<io::Stdin>,
        lines: Lines,
        chunk: Box<[u8]>,
        ended: bool,
    }

    impl Reader {
        pub(super) fn of(input: io::Stdin) -> Option<Self> {
            let input = watched(input, Interest::READABLE)?;
            Some(Self { input, lines: Lines::default(), chunk: vec![0; CHUNK].into(), ended: false })
        }

        pub(super) async fn next(&mut self) -> Option<Line> {
            loop {
                if let Some(line) = self.lines.next() {
                    return Some(line);
                }
                if self.ended {
                    return self.lines.last();
                }
                let mut guard = self.input.readable().await.ok()?;
                let read = guard.try_io(|input| {
                    ready(input.get_ref(), PollFlags::IN)?;
                    Ok(rustix::io::read(input.get_ref(), &mut *self.chunk)?)
                });
                match read {
                    Ok(Ok(0) | Err(_)) => self.ended = true,
                    Ok(Ok(read)) => self.lines.add(self.chunk.get(..read).unwrap_or_default()),
                    Err(_would_block) => {}
                }
            }
        }
    }

    pub(super) struct Writer(AsyncFd<io::Stdout>);

    impl Writer {
        pub(super) fn of(output: io::Stdout) -> Option<Self> {
            watched(output, Interest::WRITABLE).map(Self)
        }

        pub(super) async fn write_lines(self, mut texts: mpsc::Receiver<String>) {
            while let Some(mut text) = texts.recv().await {
                text.push('\n');
                if self.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
        }

        async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
            while !bytes.is_empty() {
                let mut guard = self.0.writable().await?;
                let written = guard.try_io(|output| {
                    ready(output.get_ref(), PollFlags::OUT)?;
                    let part = bytes.get(..PIPE_BUF).unwrap_or(bytes);
                    Ok(rustix::io::write(output.get_ref(), part)?)
                });
                if let Ok(written) = written {
                    bytes = bytes.get(written?..).unwrap_or_default();
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.add(piece);
            while let Some(line) = lines.next() {
                found.push(line);
            }
        }
        found.extend(lines.last());
        found
    }

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(cut(&[b"a\nb", b"c\n\nd"]), [text("a\n"), text("bc\n"), text("\n"), text("d")]);
        assert_eq!(cut(&[b"", b"\n"]), [text("\n")]);
        assert_eq!(cut(&[]), []);
    }

    #[test]
    fn of_a_line_that_is_too_long_nothing_is_kept_and_the_next_one_is_read() {
        let long = vec![b'x'; MAX_LINE + 1];
        let next = Line::Text(b"next\n".into());
        assert_eq!(cut(&[&long, b"more", &long, b"end\nnext\n"]), [Line::TooLong, next]);
        assert_eq!(cut(&[&long]), [Line::TooLong]);
        let whole = [&long[..MAX_LINE - 1], b"\n"].concat();
        assert_eq!(cut(&[&whole, b"\n"]).len(), 2);
        assert_eq!(cut(&[&[&long[..], b"\nnext\n"].concat()]).first(), Some(&Line::TooLong));
    }
}
