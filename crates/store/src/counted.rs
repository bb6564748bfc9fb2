//! What was concluded, as it counts: without what people left out.

use model::{Annotation, CycleTime, LeftOut, MachineId, Remark, Span, StateInterval, Time};

use crate::error::StoreError;
use crate::reader::History;
use crate::rows::CycleTally;

/// The past of machines as figures take it, by what people left out of it, which whoever counts
/// reads once. What it costs beside reading it all grows with that.
pub trait CountedHistory: History {
    /// What people left out of the past of a machine, as far as it reaches into a span.
    fn left_out(&self, machine: &MachineId, span: Span) -> Result<LeftOut, StoreError> {
        Ok(LeftOut::of(&self.lasting(Some(machine), span)?))
    }

    /// What was said of a span: of its moments, and of stretches of time that reach into it; also
    /// what was taken back. In the order in which it was said.
    fn said_of(&self, of: Option<&MachineId>, span: Span) -> Result<Vec<Annotation>, StoreError> {
        let wide = Span::new(span.from - Remark::LASTING_MS_MAX, span.to);
        let mut said = self.annotations(of, wide)?;
        said.retain(|said| {
            let lasts = said.said.until().is_some_and(|until| until > span.from);
            lasts || span.has(said.at)
        });
        Ok(said)
    }

    /// The states of a machine between two moments, by what people said of them.
    fn counted_states(
        &self,
        machine: &MachineId,
        span: Span,
        left_out: &LeftOut,
    ) -> Result<Vec<StateInterval>, StoreError> {
        Ok(left_out.states(self.states(machine, span)?))
    }

    /// The times of the cycles of a machine that started between two moments and count.
    fn counted_cycle_times(
        &self,
        machine: &MachineId,
        span: Span,
        left_out: &LeftOut,
    ) -> Result<Vec<CycleTime>, StoreError> {
        let mut cycles = self.cycle_times(machine, span)?;
        cycles.retain(|cycle| left_out.counts(cycle.start()));
        Ok(cycles)
    }

    /// When the product of a machine changed between two moments, as far as that counts.
    fn counted_changes(
        &self,
        machine: &MachineId,
        span: Span,
        left_out: &LeftOut,
    ) -> Result<Vec<Time>, StoreError> {
        let mut changes = self.product_changes(machine, span)?;
        changes.retain(|at| left_out.counts(*at));
        Ok(changes)
    }

    /// How many cycles of a machine started between two moments and count.
    fn counted_tally(
        &self,
        machine: &MachineId,
        span: Span,
        left_out: &LeftOut,
    ) -> Result<CycleTally, StoreError> {
        let mut tally = self.cycle_tally(machine, span)?;
        for out in left_out.no_cycles_within(span) {
            let gone = self.cycle_tally(machine, out)?;
            tally.cycles = tally.cycles.saturating_sub(gone.cycles);
            tally.outside = tally.outside.saturating_sub(gone.outside);
        }
        Ok(tally)
    }

    /// How many cycles of a machine started since a moment and count.
    fn counted_cycles(
        &self,
        machine: &MachineId,
        since: Time,
        left_out: &LeftOut,
    ) -> Result<u64, StoreError> {
        let all = Span::new(since, Time::from_ms(i64::MAX));
        let mut cycles = self.cycle_count(machine, since)?;
        for out in left_out.no_cycles_within(all) {
            cycles = cycles.saturating_sub(self.cycle_tally(machine, out)?.cycles);
        }
        Ok(cycles)
    }
}

impl<H: History + ?Sized> CountedHistory for H {}
