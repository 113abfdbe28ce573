//! What instances are made from.

use super::instance::{Instance, InstanceLimits, LoadError};
use super::memory;
use super::overlay::State;
use super::table::Table;
use crate::store::KeyReader;
use std::sync::Arc;
use wasmtime::component::InstancePre;

/// Makes instances with the routing table as it stands.
#[derive(Clone)]
pub(super) struct InstanceFactory {
    pub(super) pre: InstancePre<State>,
    pub(super) reader: Arc<dyn KeyReader>,
    pub(super) limits: InstanceLimits,
    pub(super) table: Arc<Table>,
}

impl InstanceFactory {
    /// An instance that decides: its table fits, and there is room for what it decides about.
    pub(super) fn instance(&self) -> Result<Instance, LoadError> {
        Instance::load(&self.pre, Arc::clone(&self.reader), self.limits, &self.table)
    }

    /// An instance that gets no more memory than a table may take, to find out what fits. A table that takes more already is
    /// loaded all the same: it can be made smaller.
    pub(super) fn measure(&self) -> Result<Instance, LoadError> {
        let mut instance = self.instance()?;
        instance.limit_memory(memory::table_part(self.limits.memory));
        Ok(instance)
    }

    /// Whether an instance's table takes no more memory than it may.
    pub(super) fn fits(&self, instance: &Instance) -> bool {
        instance.memory() <= memory::table_part(self.limits.memory)
    }
}
