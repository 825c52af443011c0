//! Another process for a test: this program again, in a role, with one end of a socket as its standard input. Words and descriptors
//! cross the socket.

use crate::support::{Stop, R};
use rustix::net::{
    recvmsg, sendmsg, socketpair, sockopt, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Most descriptors of a message.
const FDS: usize = 8;

/// Most words of a message.
const WORDS: usize = 32;

/// One end.
pub struct Link {
    socket: OwnedFd,
    /// At the end of whoever started the other.
    child: Option<Child>,
}

impl Link {
    /// Starts the other process in a role.
    pub fn start(role: &str) -> R<Link> {
        Link::start_with(role, &[])
    }

    /// Starts the other process in a role with some environment variables.
    pub fn start_with(role: &str, variables: &[(&str, String)]) -> R<Link> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--role", role]).envs(variables.iter().map(|(k, v)| (k, v))).stdin(Stdio::from(theirs));
        let child = command.spawn()?;
        Link { socket: ours, child: Some(child) }.patient()
    }

    /// The end of a process that was started in a role.
    pub fn of_role() -> R<Link> {
        // SAFETY: whoever starts a process in a role gives it a socket as standard input, and nothing else here reads that.
        Link { socket: unsafe { OwnedFd::from_raw_fd(0) }, child: None }.patient()
    }

    /// Waits for messages, but not for ever.
    fn patient(self) -> R<Link> {
        sockopt::set_socket_timeout(&self.socket, sockopt::Timeout::Recv, Some(Duration::from_secs(100)))?;
        Ok(self)
    }

    /// Sends a message.
    pub fn send(&self, words: &[u64], fds: &[BorrowedFd<'_>]) -> R {
        assert!(!words.is_empty() && words.len() <= WORDS && fds.len() <= FDS);
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
        check!(sent == bytes.len());
        Ok(())
    }

    /// Waits for a message of as many words and descriptors.
    pub fn receive<const W: usize, const F: usize>(&self) -> R<([u64; W], [OwnedFd; F])> {
        let mut bytes = [0u8; WORDS * 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        check!(got.bytes == W * 8, "{} bytes from the other process instead of {}", got.bytes, W * 8);
        let mut words = [0; W];
        for (word, b) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(b.try_into()?);
        }
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(list) = message {
                fds.extend(list);
            }
        }
        let n = fds.len();
        let fds = fds.try_into().map_err(|_| Stop::Fail(format!("{n} descriptors instead of {F}")))?;
        Ok((words, fds))
    }

    /// Says that something is done.
    pub fn say(&self, word: u64) -> R {
        self.send(&[word], &[])
    }

    /// Waits until the other says just this.
    pub fn hear(&self, word: u64) -> R {
        let ([got], []) = self.receive::<1, 0>()?;
        check!(got == word, "the other process says {got} instead of {word}");
        Ok(())
    }

    /// Waits for the end of the other process, which has to be a good one.
    pub fn end(mut self) -> R {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let status = child.wait()?;
        if status.code() == Some(i32::from(crate::SKIPPED)) {
            skip!("the other process can not");
        }
        check!(status.success(), "the other process ended with {status}");
        Ok(())
    }

    /// Ends the other process wherever it is.
    pub fn kill(mut self) -> R {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // After a failure here there is nothing left for the other to do.
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
