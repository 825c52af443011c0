//! A measuring process: one driver, commands out, answers in, and patience that ends.

use super::icd::Icd;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The measuring program on a driver.
#[derive(Clone, Debug)]
pub struct Start {
    /// The program.
    pub program: PathBuf,
    /// The driver.
    pub icd: Icd,
    /// Where the driver is to keep its cache.
    pub cache: PathBuf,
}

impl Start {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.icd.runner.split_first() {
            Some((runner, first)) => {
                let mut command = Command::new(runner);
                command.args(first).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        let manifest = Path::new(&self.icd.manifest);
        command
            .args(arguments)
            .env("VK_DRIVER_FILES", manifest)
            .env("VK_ICD_FILENAMES", manifest)
            .env("VK_LOADER_LAYERS_DISABLE", "~implicit~")
            .env("XDG_CACHE_HOME", &self.cache)
            .env_remove("MESA_SHADER_CACHE_DIR")
            .env_remove("VKDXG_DEBUG")
            .envs(self.icd.env.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs the program to its end; its last line of output is an answer.
    ///
    /// # Errors
    /// It failed, said nothing that can be read, or took too long.
    pub fn once(&self, arguments: &[&str], patience: Duration) -> Result<Value, String> {
        let mut process = Process::spawn(self.command(arguments))?;
        let mut last = Err("no output".to_owned());
        let end = Instant::now() + patience;
        loop {
            match process.answer(end.saturating_duration_since(Instant::now())) {
                Ok(value) => last = Ok(value),
                Err(Failure::Over) => break,
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        let status = process.child.wait().map_err(|e| e.to_string())?;
        if status.success() {
            last
        } else {
            Err(format!("ended with {status}"))
        }
    }

    /// Starts the program as a server.
    ///
    /// # Errors
    /// It does not start, or does not say which device it has.
    pub fn serve(&self, patience: Duration) -> Result<(Process, String), String> {
        let mut process = Process::spawn(self.command(&["serve"]))?;
        let hello = process.answer(patience).map_err(|e| process.describe(e))?;
        let device = hello["device"].as_str().ok_or("no device")?.to_owned();
        Ok((process, device))
    }
}

enum Failure {
    /// The process has ended, or closed its output.
    Over,
    /// Anything else.
    Other(String),
}

/// A running process; killed when dropped.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Process {
    fn spawn(mut command: Command) -> Result<Process, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| format!("{:?}: {e}", command.get_program()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("no output")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Process { child, input, lines })
    }

    fn answer(&mut self, patience: Duration) -> Result<Value, Failure> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => serde_json::from_str(&line).map_err(|e| Failure::Other(format!("{line:?}: {e}"))),
            Err(RecvTimeoutError::Timeout) => Err(Failure::Other(format!("no answer in {} s", patience.as_secs()))),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Over),
        }
    }

    fn describe(&mut self, failure: Failure) -> String {
        match failure {
            Failure::Other(text) => text,
            Failure::Over => match self.child.wait() {
                Ok(status) => format!("ended with {status}"),
                Err(error) => error.to_string(),
            },
        }
    }

    /// Sends a command and waits for the answer.
    ///
    /// # Errors
    /// The process has ended or is silent for too long; it is of no use any more then.
    pub fn ask(&mut self, command: &str, patience: Duration) -> Result<Value, String> {
        let written = match &mut self.input {
            Some(input) => writeln!(input, "{command}").and_then(|()| input.flush()),
            None => return Err("no input".to_owned()),
        };
        // A process that has ended says why below.
        let _ = written;
        self.answer(patience).map_err(|f| self.describe(f))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn(command).unwrap()
    }

    #[test]
    fn answers_come_back() {
        let mut p = shell("read a; echo \"{\\\"got\\\": \\\"$a\\\"}\"; read b; exit 3");
        assert_eq!(p.ask("x y", Duration::from_secs(20)).unwrap()["got"], "x y");
        let error = p.ask("z", Duration::from_secs(20)).unwrap_err();
        assert!(error.contains('3'), "{error}");
    }

    #[test]
    fn silence_and_nonsense_are_errors() {
        assert!(shell("sleep 20").ask("x", Duration::from_millis(50)).unwrap_err().contains("no answer"));
        assert!(shell("read a; echo nonsense").ask("x", Duration::from_secs(20)).unwrap_err().contains("nonsense"));
    }
}
