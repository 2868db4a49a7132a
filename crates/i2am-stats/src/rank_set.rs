//! A set of ranks that knows how many are below one.

/// Words up to which every later count is raised when a rank is added: a few vector instructions, less than the steps of a tree.
const FEW_WORDS: usize = 96;

/// Ranks from 0 to a fixed number. Adding one and counting below one take a few instructions for some thousand ranks, and about the
/// logarithm of a 64th of their number for more.
#[derive(Debug, Clone, Default)]
pub(crate) struct RankSet {
    /// One bit per rank.
    words: Vec<u64>,
    /// For each of few words, how many ranks are in those before it.
    before: Vec<u16>,
    /// Fenwick tree over the counts of many words, from 1.
    tree: Vec<u32>,
}

impl RankSet {
    /// Empties it, for ranks below `count`.
    pub(crate) fn reset(&mut self, count: usize) {
        let words = count.div_ceil(64);
        let (few, many) = if words <= FEW_WORDS {
            (words + 1, 0)
        } else {
            (0, words + 1)
        };
        self.words.clear();
        self.words.resize(words, 0);
        self.before.clear();
        self.before.resize(few, 0);
        self.tree.clear();
        self.tree.resize(many, 0);
    }

    /// Adds a rank that is not in it.
    pub(crate) fn insert(&mut self, rank: u32) {
        let word = (rank / 64) as usize;
        self.words[word] |= 1 << (rank % 64);
        // All of them, so that the loop is one of vector instructions.
        let last = word as u16;
        for (place, before) in (0_u16..).zip(&mut self.before) {
            *before += u16::from(place > last);
        }
        let mut at = word + 1;
        while at < self.tree.len() {
            self.tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many of its ranks are below `rank`, which may be the number of ranks.
    pub(crate) fn below(&self, rank: u32) -> u32 {
        let word = (rank / 64) as usize;
        let lower = (1_u64 << (rank % 64)) - 1;
        let own = self
            .words
            .get(word)
            .map_or(0, |bits| (bits & lower).count_ones());
        if let Some(&before) = self.before.get(word) {
            return u32::from(before) + own;
        }
        let mut at = word;
        let mut count = own;
        while at > 0 {
            count += self.tree[at];
            at &= at - 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_like_a_list() {
        for count in [1_u32, 63, 64, 65, 200, 1000, 6144, 6145] {
            let mut set = RankSet::default();
            set.reset(count as usize);
            let mut list = Vec::new();
            for step in 0..count {
                let rank = step * 7919 % count;
                if list.contains(&rank) {
                    continue;
                }
                set.insert(rank);
                list.push(rank);
                for asked in [0, rank, rank + 1, count / 2, count] {
                    let expected = list.iter().filter(|&&rank| rank < asked).count();
                    assert_eq!(set.below(asked) as usize, expected);
                }
            }
        }
    }
}
