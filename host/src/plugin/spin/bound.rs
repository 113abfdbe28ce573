//! Limits within a plugin's own code, for where the host around it keeps none.
//!
//! Its memories get the most that they may grow to. Its functions and loops count down a number of steps that only a plugin can
//! use up that does not end: such a one traps, in the place of holding a processor for good.

use std::time::Duration;
use wasm_encoder::reencode::{Error, Reencode, ReencodeComponent, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Function, GlobalSection, GlobalType, Instruction, MemoryType, Module,
    SectionId, ValType,
};
use wasmparser::{FunctionBody, GlobalSectionReader, Parser, Payload, TypeRef};

/// How large a page of memory is that does not say so itself, as a power of two: 64 KiB.
const PAGE_LOG2: u32 = 16;

/// How many calls an instance gets at most, unless Spin is told otherwise.
const CALLS: u64 = 128;

/// More steps than a plugin can make in a millisecond.
const STEPS: u64 = 1_000_000;

/// The same component with these limits.
pub(super) fn bounded(component: &[u8], memory: u64, timeout: Duration) -> Result<Vec<u8>, String> {
    let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let steps = millis.saturating_mul(STEPS).saturating_mul(CALLS);
    let mut bound =
        Bound { memory, steps: i64::try_from(steps).unwrap_or(i64::MAX), counter: 0, is_counted: false };
    let mut written = wasm_encoder::Component::new();
    bound.parse_component(&mut written, Parser::new(0), component).map_err(|error| error.to_string())?;
    Ok(written.finish())
}

struct Bound {
    /// The most bytes of each memory.
    memory: u64,
    steps: i64,
    /// The global of the module that counts.
    counter: u32,
    /// Whether the module has it already.
    is_counted: bool,
}

impl Bound {
    fn add_counter(&mut self, globals: &mut GlobalSection) {
        self.is_counted = true;
        let kind = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        globals.global(kind, &ConstExpr::i64_const(self.steps));
    }

    /// One step less, and the end if there is none left.
    fn count(&self, function: &mut Function) {
        let counter = self.counter;
        for instruction in [
            Instruction::GlobalGet(counter),
            Instruction::I64Const(1),
            Instruction::I64Sub,
            Instruction::GlobalSet(counter),
            Instruction::GlobalGet(counter),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ] {
            function.instruction(&instruction);
        }
    }
}

/// Globals of a module before it gets another one.
fn globals(module: &[u8]) -> Result<u32, wasmparser::Error> {
    let mut count = 0_u32;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if matches!(import?.ty, TypeRef::Global(_)) {
                        count = count.saturating_add(1);
                    }
                }
            }
            Payload::GlobalSection(globals) => count = count.saturating_add(globals.count()),
            _ => {}
        }
    }
    Ok(count)
}

impl Reencode for Bound {
    type Error = std::convert::Infallible;

    fn memory_type(&mut self, memory: wasmparser::MemoryType) -> Result<MemoryType, Error<Self::Error>> {
        let mut memory = utils::memory_type(self, memory);
        let pages = self.memory.checked_shr(memory.page_size_log2.unwrap_or(PAGE_LOG2)).unwrap_or_default();
        let most = memory.maximum.map_or(pages, |most| most.min(pages));
        // What it begins with was looked at by the gateway's own limits.
        memory.maximum = Some(most.max(memory.minimum));
        Ok(memory)
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_global_section(self, globals, section)?;
        self.add_counter(globals);
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Result<(), Error<Self::Error>> {
        // Globals stand before all of these.
        let is_behind = matches!(
            before,
            None | Some(
                SectionId::Export
                    | SectionId::Start
                    | SectionId::Element
                    | SectionId::DataCount
                    | SectionId::Code
                    | SectionId::Data
            )
        );
        if is_behind && !self.is_counted {
            let mut globals = GlobalSection::new();
            self.add_counter(&mut globals);
            module.section(&globals);
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        self.count(&mut function);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let instruction = self.parse_instruction(&mut reader)?;
            let is_loop = matches!(instruction, Instruction::Loop(_));
            function.instruction(&instruction);
            if is_loop {
                self.count(&mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}

impl ReencodeComponent for Bound {
    fn parse_component_submodule(
        &mut self,
        component: &mut wasm_encoder::Component,
        parser: Parser,
        module: &[u8],
    ) -> Result<(), Error<Self::Error>> {
        (self.counter, self.is_counted) = (globals(module)?, false);
        wasm_encoder::reencode::component_utils::parse_component_submodule(self, component, parser, module)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::config::PluginConfig;
    use super::super::super::pool::{Plugin, Question, read};
    use super::super::super::sandbox::{Sandbox, component};
    use super::*;
    use anglerfish_core::event::Event;
    use bytes::Bytes;
    use std::path::{Path, PathBuf};

    fn question(data: Vec<u8>) -> Question {
        let event =
            Event { id: "a".to_owned(), source: "s".to_owned(), kind: "t".to_owned(), ..Event::default() };
        Question { subscription: "all".to_owned(), event, headers: [].into(), data: Bytes::from(data) }
    }

    fn loaded(sandbox: &Sandbox, path: &Path) -> Plugin {
        let config = PluginConfig {
            timeout: Duration::from_secs(10),
            memory: 64 << 20,
            ..PluginConfig::new("probe", path)
        };
        Plugin::load(sandbox, config).unwrap_or_else(|(key, error)| panic!("{key}: {error}"))
    }

    /// Calls of a plugin with and without the counting, in turns. What is measured beside the project's own plugin is named by
    /// `ANGLERFISH_TEST_PLUGINS`: `FILE=CONFIG`, with `;` between two.
    /// `cargo test -p anglerfish --lib --release -- --ignored --nocapture what_the_counting_costs`
    #[test]
    #[ignore = "it measures"]
    fn what_the_counting_costs() {
        let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugin/probe-0.1.0.wasm");
        let mut plugins = vec![(probe, "\"deliver\"".to_owned())];
        let named = std::env::var("ANGLERFISH_TEST_PLUGINS").unwrap_or_default();
        let named = named.split(';').filter_map(|named| named.split_once('='));
        plugins.extend(named.map(|(file, config)| (PathBuf::from(file), config.to_owned())));
        let sandbox = Sandbox::try_new().unwrap();
        let items: Vec<String> = (0..2000).map(|number| format!("{{\"n\":{number}}}")).collect();
        let data = format!("{{\"total\":7,\"quantity\":7,\"items\":[{}]}}", items.join(",")).into_bytes();
        let question = question(data);
        for (file, config) in plugins {
            let bytes = component(sandbox.engine(), &read(&file).unwrap()).unwrap();
            let counted = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(counted.path(), bounded(&bytes, 64 << 20, Duration::from_secs(10)).unwrap())
                .unwrap();
            let both = [loaded(&sandbox, &file), loaded(&sandbox, counted.path())];
            let mut taken = [Vec::new(), Vec::new()];
            for _ in 0..200 {
                for (plugin, taken) in both.iter().zip(&mut taken) {
                    let judged = plugin.judge(&question, &config);
                    judged.result.unwrap();
                    taken.push(judged.duration);
                }
            }
            let [without, with] = taken.map(|mut taken| {
                taken.sort();
                taken[taken.len() / 2]
            });
            let ratio = with.as_secs_f64() / without.as_secs_f64();
            println!("{}: {without:?} without, {with:?} with: {ratio:.2} times", file.display());
        }
    }
}
