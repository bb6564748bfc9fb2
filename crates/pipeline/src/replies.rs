//! Answers to orders that wait for their commit, and which records of the batch each is about.

use std::collections::BTreeSet;
use std::ops::Range;

use app::commands::OrderError;
use store::Record;
use tokio::sync::oneshot;

/// What became of an order.
pub(crate) type OrderAnswer = Result<(), OrderError>;

/// Whether a record says who may come in: it and the evidence of it are one.
pub(crate) fn is_of_somebody(record: &Record) -> bool {
    matches!(
        record,
        Record::Device(_)
            | Record::DeviceEnded(_)
            | Record::Person(_)
            | Record::Pass(_)
            | Record::PassEnded(_)
    )
}

/// An answer, and the records that it is about.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) to: oneshot::Sender<OrderAnswer>,
    pub(crate) answer: OrderAnswer,
    pub(crate) records: Range<usize>,
    /// Nothing but the records follows from the order, and whoever gave it may give it again:
    /// without them it was never given.
    pub(crate) is_records_alone: bool,
    /// If one of its records is refused, the others go too.
    pub(crate) is_whole: bool,
}

/// The answers that wait, in the order of their records.
#[derive(Debug, Default)]
pub(crate) struct Replies(Vec<Reply>);

impl Replies {
    /// One more waits.
    pub(crate) fn push(&mut self, reply: Reply) {
        self.0.push(reply);
    }

    /// The batch is durable: everybody is answered.
    pub(crate) fn answer(&mut self) {
        for reply in self.0.drain(..) {
            reply.to.send(reply.answer).ok();
        }
    }

    /// The batch is not durable: nobody waits longer. Who is told that an order was not carried out
    /// may give it again, so its records go; what is carried out already is kept later.
    pub(crate) fn give_up(&mut self, batch: &mut Vec<Record>) {
        for reply in self.0.drain(..).rev() {
            let end = batch.len();
            assert!(reply.records.end <= end, "an answer knows its records");
            let answer = if reply.records.is_empty() {
                reply.answer
            } else if reply.is_records_alone {
                batch.drain(reply.records);
                Err(OrderError::NotDurable)
            } else {
                Err(OrderError::Delayed)
            };
            reply.to.send(answer).ok();
        }
    }

    /// These places and those that go with them: a change of who may come in and the evidence of it
    /// are one.
    pub(crate) fn with_whole_orders(&self, places: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        let mut gone = BTreeSet::new();
        for place in places {
            let is_of_it = |reply: &&Reply| reply.is_whole && reply.records.contains(&place);
            let whole = self.0.iter().find(is_of_it);
            gone.extend(whole.into_iter().flat_map(|reply| reply.records.clone()));
            gone.insert(place);
        }
        gone
    }

    /// A record of the batch goes: who asked for it is told so, and the records behind it move up.
    pub(crate) fn forget(&mut self, place: usize) {
        let before = |at: usize| at - usize::from(at > place);
        for reply in &mut self.0 {
            if reply.records.contains(&place) {
                reply.answer = Err(OrderError::NotDurable);
            }
            reply.records = before(reply.records.start)..before(reply.records.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(names: &[&'static str]) -> Vec<Record> {
        let kept = |name: &&'static str| Record::Kept((*name).into(), String::new());
        names.iter().map(kept).collect()
    }

    fn names(batch: &[Record]) -> Vec<String> {
        let name = |record: &Record| match record {
            Record::Kept(name, _) => name.to_string(),
            other => panic!("{other:?}"),
        };
        batch.iter().map(name).collect()
    }

    /// Two orders of two records each behind one record of nobody; the second one has happened.
    fn waiting() -> (Vec<Record>, Replies, [oneshot::Receiver<OrderAnswer>; 2]) {
        let batch = records(&["own", "a1", "a2", "b1", "b2"]);
        let mut replies = Replies::default();
        let mut push = |records, is_records_alone| {
            let (to, answered) = oneshot::channel();
            let answer = Ok(());
            replies.push(Reply {
                to,
                answer,
                records,
                is_records_alone,
                is_whole: is_records_alone,
            });
            answered
        };
        let answered = [push(1..3, true), push(3..5, false)];
        (batch, replies, answered)
    }

    #[test]
    fn what_was_given_up_is_gone_and_what_has_happened_stays() {
        let (mut batch, mut replies, [mut first, mut second]) = waiting();
        replies.give_up(&mut batch);
        assert_eq!(names(&batch), ["own", "b1", "b2"]);
        assert_eq!(first.try_recv(), Ok(Err(OrderError::NotDurable)));
        assert_eq!(second.try_recv(), Ok(Err(OrderError::Delayed)));
    }

    #[test]
    fn an_order_of_which_a_part_is_refused_goes_whole_and_the_others_know_their_places() {
        let (mut batch, mut replies, [mut first, mut second]) = waiting();
        let gone = replies.with_whole_orders([0, 2].into_iter());
        assert_eq!(gone.iter().copied().collect::<Vec<_>>(), [0, 1, 2]);
        for place in gone.into_iter().rev() {
            batch.remove(place);
            replies.forget(place);
        }
        assert_eq!(names(&batch), ["b1", "b2"]);
        assert_eq!(replies.0[1].records, 0..2);
        replies.answer();
        assert_eq!(first.try_recv(), Ok(Err(OrderError::NotDurable)));
        assert_eq!(second.try_recv(), Ok(Ok(())));
    }
}
