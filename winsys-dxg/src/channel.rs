//! One use of a node: the place where every request passes.

use crate::adapter::Adapter;
use crate::config::WinsysConfig;
use crate::error::{Cause, Error, Result};
use crate::fork;
use dxg_abi::{AdapterInfo, Arg, EnumAdapters2, Handle, Luid, Node, OpenAdapterFromLuid, Ret};
use std::sync::Arc;

/// What all objects made through one node share.
#[derive(Debug)]
pub(crate) struct Channel {
    node: Arc<dyn Node>,
    config: WinsysConfig,
    generation: u64,
}

impl Channel {
    /// Issues one request. The only place that turns a structure into bytes.
    pub(crate) fn call<A: Arg>(&self, arg: &mut A) -> Result<Ret> {
        if fork::generation() != self.generation {
            return Err(Error::new(A::IOCTL, Cause::Forked));
        }
        let raw = self.node.ioctl(A::IOCTL.request(), arg.as_mut_bytes());
        Error::check(A::IOCTL, raw)
    }

    pub(crate) fn config(&self) -> &WinsysConfig {
        &self.config
    }
}

/// A node in use: the start of everything.
#[derive(Clone, Debug)]
pub struct Winsys {
    channel: Arc<Channel>,
}

impl Winsys {
    /// Uses a node. Nothing is asked of it yet.
    pub fn new(node: Arc<dyn Node>, config: WinsysConfig) -> Self {
        Self { channel: Arc::new(Channel { node, config, generation: fork::generation() }) }
    }

    /// The node.
    pub fn node(&self) -> &Arc<dyn Node> {
        &self.channel.node
    }

    /// The settings.
    pub fn config(&self) -> &WinsysConfig {
        &self.channel.config
    }

    /// Opens every adapter that is not compute-only. Those dropped are closed again.
    ///
    /// # Errors
    /// Those of the request; an empty list is not an error.
    pub fn adapters(&self) -> Result<Vec<Adapter>> {
        // The count can change between the two calls: a list that became too short is
        // EOVERFLOW without a new count, so ask again a few times.
        let mut last = None;
        for _ in 0..4 {
            let mut count = EnumAdapters2::default();
            self.channel.call(&mut count)?;
            let total = count.num_adapters.min(dxg_abi::ADAPTERS_MAX);
            if total == 0 {
                return Ok(Vec::new());
            }
            let mut list = vec![AdapterInfo::default(); total as usize];
            let mut arg =
                EnumAdapters2 { num_adapters: total, adapters: list.as_mut_ptr() as u64, ..Default::default() };
            match self.channel.call(&mut arg) {
                Ok(_) => {
                    list.truncate(arg.num_adapters as usize);
                    return Ok(list
                        .into_iter()
                        .filter(|a| !a.adapter_handle.is_null())
                        .map(|a| Adapter::from_handle(self.channel.clone(), a.adapter_handle, a.adapter_luid))
                        .collect());
                }
                Err(e) if e.cause == Cause::Errno(dxg_abi::Errno::EOVERFLOW) => last = Some(e),
                Err(e) => return Err(e),
            }
        }
        Err(last.unwrap_or(Error::argument("adapters keep changing")))
    }

    /// Opens the adapter with this LUID.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there is none.
    pub fn open_adapter(&self, luid: Luid) -> Result<Adapter> {
        let mut arg = OpenAdapterFromLuid { adapter_luid: luid, adapter_handle: Handle::NULL };
        self.channel.call(&mut arg)?;
        if arg.adapter_handle.is_null() {
            return Err(Error::new(OpenAdapterFromLuid::IOCTL, Cause::NoOutput));
        }
        Ok(Adapter::from_handle(self.channel.clone(), arg.adapter_handle, luid))
    }
}
