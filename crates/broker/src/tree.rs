//! The subscription tree: one node a topic level, so that finding the subscribers of a publish
//! costs its number of levels, not the number of subscriptions.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::str::Split;
use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::Qos;

use crate::face::qos_number;
use crate::session::Session;

#[derive(Debug, Clone)]
struct Subscriber {
    session: Arc<Session>,
    qos: Qos,
}

#[derive(Debug, Default)]
struct TreeNode {
    children: HashMap<Box<str>, TreeNode>,
    here: Vec<Subscriber>,
    below: Vec<Subscriber>,
}

impl TreeNode {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty() && self.below.is_empty()
    }
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    root: TreeNode,
    subscriptions: usize,
}

impl Tree {
    /// Adds a subscription or replaces the same session's one with the same filter.
    pub(crate) fn subscribe(&mut self, filter: &str, session: &Arc<Session>, qos: Qos) {
        let list = Self::list(&mut self.root, filter);
        match list.iter_mut().find(|s| Arc::ptr_eq(&s.session, session)) {
            Some(existing) => existing.qos = qos,
            None => {
                list.push(Subscriber {
                    session: Arc::clone(session),
                    qos,
                });
                self.subscriptions += 1;
            }
        }
    }

    fn list<'a>(root: &'a mut TreeNode, filter: &str) -> &'a mut Vec<Subscriber> {
        let mut node = root;
        for level in filter.split('/') {
            if level == "#" {
                return &mut node.below;
            }
            node = node.children.entry(level.into()).or_default();
        }
        &mut node.here
    }

    /// Removes a subscription; says whether there was one.
    pub(crate) fn unsubscribe(&mut self, filter: &str, session: &Arc<Session>) -> bool {
        let levels: Vec<&str> = filter.split('/').collect();
        let removed = Self::remove(&mut self.root, &levels, session);
        self.subscriptions -= usize::from(removed);
        removed
    }

    fn remove(node: &mut TreeNode, levels: &[&str], session: &Arc<Session>) -> bool {
        let drop_from = |list: &mut Vec<Subscriber>| {
            let before = list.len();
            list.retain(|s| !Arc::ptr_eq(&s.session, session));
            list.len() < before
        };
        match levels.split_first() {
            None => drop_from(&mut node.here),
            Some((&"#", _)) => drop_from(&mut node.below),
            Some((level, rest)) => {
                let Some(child) = node.children.get_mut(*level) else {
                    return false;
                };
                let removed = Self::remove(child, rest, session);
                if child.is_empty() {
                    node.children.remove(*level);
                }
                removed
            }
        }
    }

    /// Whether nobody subscribes to anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions == 0
    }

    /// Whether anybody wants this topic.
    pub(crate) fn has_subscriber(&self, topic: &str) -> bool {
        let mut is_somebody = |list: &[Subscriber]| match list {
            [] => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        self.visit(topic, &mut is_somebody).is_break()
    }

    /// Every session that wants this topic, once, with the highest quality it asked for.
    pub(crate) fn subscribers(&self, topic: &str) -> Vec<(Arc<Session>, Qos)> {
        let mut found: Vec<(Arc<Session>, Qos)> = Vec::new();
        let mut gather = |list: &[Subscriber]| {
            Self::gather(list, &mut found);
            ControlFlow::Continue(())
        };
        self.visit(topic, &mut gather).is_continue();
        found
    }

    /// Shows `look` every list of subscribers that want this topic, until it has seen enough.
    fn visit(
        &self,
        topic: &str,
        look: &mut impl FnMut(&[Subscriber]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let is_hidden = topic.starts_with('$');
        Self::visit_below(&self.root, topic.split('/'), is_hidden, look)
    }

    fn visit_below(
        node: &TreeNode,
        mut levels: Split<'_, char>,
        is_hidden: bool,
        look: &mut impl FnMut(&[Subscriber]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !is_hidden {
            look(&node.below)?;
        }
        let Some(level) = levels.next() else {
            return look(&node.here);
        };
        if let Some(child) = node.children.get(level) {
            Self::visit_below(child, levels.clone(), false, look)?;
        }
        match node.children.get("+") {
            Some(child) if !is_hidden => Self::visit_below(child, levels, false, look),
            _ => ControlFlow::Continue(()),
        }
    }

    fn gather(list: &[Subscriber], found: &mut Vec<(Arc<Session>, Qos)>) {
        for subscriber in list {
            match found
                .iter_mut()
                .find(|(s, _)| Arc::ptr_eq(s, &subscriber.session))
            {
                Some((_, qos)) if qos_number(*qos) < qos_number(subscriber.qos) => {
                    *qos = subscriber.qos;
                }
                Some(_) => {}
                None => found.push((Arc::clone(&subscriber.session), subscriber.qos)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::matches;

    fn names(tree: &Tree, topic: &str) -> Vec<String> {
        let mut names: Vec<String> = tree
            .subscribers(topic)
            .iter()
            .map(|(s, q)| format!("{}{}", s.key(), qos_number(*q)))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_tree_finds_what_plain_matching_finds() {
        let filters = [
            "a/b", "a/+", "a/#", "#", "+/b", "a/b/#", "$SYS/#", "/x", "+/+/c",
        ];
        let mut tree = Tree::default();
        let sessions: Vec<_> = filters.iter().map(|f| Session::for_test(f)).collect();
        for (filter, session) in filters.iter().zip(&sessions) {
            tree.subscribe(filter, session, Qos::AtLeastOnce);
        }
        for topic in ["a", "a/b", "a/b/c", "b/b", "$SYS/x", "/x", "a/x", "x"] {
            let mut expected: Vec<String> = filters
                .iter()
                .filter(|f| matches(f, topic))
                .map(|f| format!("{f}1"))
                .collect();
            expected.sort();
            assert_eq!(names(&tree, topic), expected, "{topic}");
        }
        for (filter, session) in filters.iter().zip(&sessions) {
            assert!(tree.unsubscribe(filter, session));
        }
        assert!(
            tree.is_empty() && tree.root.is_empty(),
            "nothing is left behind"
        );
    }

    #[test]
    fn overlapping_subscriptions_deliver_once_with_the_highest_quality() {
        let mut tree = Tree::default();
        let one = Session::for_test("s");
        tree.subscribe("a/#", &one, Qos::ExactlyOnce);
        tree.subscribe("a/+", &one, Qos::AtMostOnce);
        assert_eq!(names(&tree, "a/b"), ["s2"]);
    }
}
