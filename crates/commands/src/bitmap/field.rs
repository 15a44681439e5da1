//! An integer of any width at any bit of a string: what BITFIELD reads, sets and counts up.

/// Which integers a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Two's complement.
    Signed,
    /// Not negative.
    Unsigned,
}

/// What becomes of a number that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its lowest bits are kept.
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is done.
    Fail,
}

/// The type of a field, such as `i16` or `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    sign: Sign,
    /// 1 to 64; 63 at most if unsigned, since a reply is a signed integer.
    bits: u8,
}

impl Width {
    /// Reads a type.
    pub(super) fn parse(word: &[u8]) -> Option<Width> {
        let (sign, bits_max, digits) = match word {
            [b'i', digits @ ..] => (Sign::Signed, 64, digits),
            [b'u', digits @ ..] => (Sign::Unsigned, 63, digits),
            _ => return None,
        };
        let bits = u8::try_from(larder_store::parse_integer(digits)?).ok()?;
        (1..=bits_max).contains(&bits).then_some(Width { sign, bits })
    }

    /// Number of bits.
    pub(super) fn bits(self) -> u64 {
        u64::from(self.bits)
    }

    /// The number that was stored as these bits.
    fn number(self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        match self.sign {
            Sign::Signed => (bits << unused) as i64 >> unused,
            Sign::Unsigned => (bits << unused >> unused) as i64,
        }
    }

    /// The number to store for one that is wished for.
    fn fit(self, wished: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.limits();
        match overflow {
            _ if (min..=max).contains(&wished) => Some(wished as i64),
            Overflow::Wrap => Some(self.number(wished as u64)),
            Overflow::Saturate => Some(wished.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }

    /// A number as SET takes it: to an unsigned field, a negative one is the large one with the same bits. To a signed field, too,
    /// when its distance from the largest number of the field does not fit in 63 bits: Redis then saturates upwards.
    fn wish(self, number: i64) -> i128 {
        let (_, max) = self.limits();
        let is_far = self.bits < 64 && max - i128::from(number) > i128::from(i64::MAX);
        match self.sign {
            Sign::Signed if !is_far => i128::from(number),
            _ => i128::from(number as u64),
        }
    }

    /// The smallest and the largest number.
    fn limits(self) -> (i128, i128) {
        match self.sign {
            Sign::Signed => (-(1_i128 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            Sign::Unsigned => (0, (1 << self.bits) - 1),
        }
    }
}

/// What to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Answer the number.
    Get,
    /// Store a number, answer the old one.
    Set(i64, Overflow),
    /// Add a number, answer the sum.
    Increment(i64, Overflow),
}

/// One subcommand of BITFIELD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) width: Width,
    /// The field's first bit.
    pub(super) offset: u64,
    pub(super) action: Action,
}

/// What a step does to a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// What the client is told; `None` when the number does not fit and the client wants nothing done then.
    pub(super) answer: Option<i64>,
    /// The number to store, if it is another than before.
    pub(super) change: Option<i64>,
}

impl Step {
    /// Bytes that a string must have to hold the field.
    pub(super) fn min_len(&self) -> usize {
        ((self.offset + self.width.bits() - 1) / 8 + 1) as usize
    }

    /// What the step does to a string, which may end before the field does.
    pub(super) fn effect(&self, bytes: &[u8]) -> Effect {
        let old = self.width.number(read(bytes, self.offset, self.width.bits));
        let changed = |new: Option<i64>| new.filter(|new| *new != old);
        match self.action {
            Action::Get => Effect { answer: Some(old), change: None },
            Action::Set(number, overflow) => {
                let new = self.width.fit(self.width.wish(number), overflow);
                Effect { answer: new.map(|_| old), change: changed(new) }
            }
            Action::Increment(by, overflow) => {
                let new = self.width.fit(i128::from(old) + i128::from(by), overflow);
                Effect { answer: new, change: changed(new) }
            }
        }
    }

    /// Does the step to a string that holds the whole field; the answer.
    pub(super) fn apply(&self, bytes: &mut [u8]) -> Option<i64> {
        let effect = self.effect(bytes);
        if let Some(number) = effect.change {
            write(bytes, self.offset, self.width.bits, number as u64);
        }
        effect.answer
    }
}

/// The bytes from the one with this bit on, as one number: a field of 64 bits lies in 9 of them at most.
fn window(bytes: &[u8], offset: u64) -> u128 {
    let mut window = [0; 16];
    let there = usize::try_from(offset / 8).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let len = there.len().min(9);
    window[..len].copy_from_slice(&there[..len]);
    u128::from_be_bytes(window)
}

fn read(bytes: &[u8], offset: u64, bits: u8) -> u64 {
    (window(bytes, offset) << (offset % 8) >> (128 - u32::from(bits))) as u64
}

fn write(bytes: &mut [u8], offset: u64, bits: u8, value: u64) {
    let unused = 128 - u32::from(bits);
    let mask = u128::MAX << unused >> (offset % 8);
    let value = u128::from(value) << unused >> (offset % 8);
    let window = (window(bytes, offset) & !mask | value).to_be_bytes();
    let there = &mut bytes[(offset / 8) as usize..];
    let len = there.len().min(9);
    there[..len].copy_from_slice(&window[..len]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn width() -> impl Strategy<Value = Width> {
        prop_oneof![
            (1_u8..=64).prop_map(|bits| Width { sign: Sign::Signed, bits }),
            (1_u8..=63).prop_map(|bits| Width { sign: Sign::Unsigned, bits }),
        ]
    }

    fn overflow() -> impl Strategy<Value = Overflow> {
        prop::sample::select(&[Overflow::Wrap, Overflow::Saturate, Overflow::Fail])
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![-300_i64..300, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    /// The naive model of a string: its bits, followed by zeros.
    fn bits_of(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)).collect()
    }

    /// The naive model of a field: the sum of its bits' weights.
    fn model_number(bits: &[bool], sign: Sign) -> i128 {
        let weights = (0..bits.len()).rev().map(|power| 1_i128 << power);
        let sum: i128 = bits.iter().zip(weights).filter(|(bit, _)| **bit).map(|(_, weight)| weight).sum();
        if sign == Sign::Signed && bits[0] { sum - (1 << bits.len()) } else { sum }
    }

    /// The naive model of fitting: step by whole turns until the number is in range.
    fn model_fit(width: Width, wished: i128, overflow: Overflow) -> Option<i128> {
        let turn = 1_i128 << width.bits;
        let min = if width.sign == Sign::Signed { -turn / 2 } else { 0 };
        let inside = wished >= min && wished < min + turn;
        match overflow {
            Overflow::Wrap => Some((wished - min).rem_euclid(turn) + min),
            _ if inside => Some(wished),
            Overflow::Saturate => Some(if wished < min { min } else { min + turn - 1 }),
            Overflow::Fail => None,
        }
    }

    proptest! {
        #[test]
        fn steps_do_as_the_model_does(
            mut bytes in prop::collection::vec(any::<u8>(), 0..12),
            width in width(),
            offset in 0_u64..100,
            action in prop_oneof![
                Just(Action::Get),
                (number(), overflow()).prop_map(|(number, overflow)| Action::Set(number, overflow)),
                (number(), overflow()).prop_map(|(by, overflow)| Action::Increment(by, overflow)),
            ],
        ) {
            let step = Step { width, offset, action };
            let range = offset as usize..offset as usize + width.bits as usize;
            let mut bits = bits_of(&bytes);
            bits.resize(bits.len().max(range.end.next_multiple_of(8)), false);
            let old = model_number(&bits[range.clone()], width.sign);
            let (answer, new) = match action {
                Action::Get => (Some(old), Some(old)),
                Action::Set(number, overflow) => {
                    let far = width.bits < 64 && (1_i128 << (width.bits - 1)) - number as i128 > 1 << 63;
                    let as_it_is = width.sign == Sign::Signed && !far;
                    let wished = if as_it_is { number as i128 } else { number as u64 as i128 };
                    let new = model_fit(width, wished, overflow);
                    (new.and(Some(old)), new)
                }
                Action::Increment(by, overflow) => {
                    let new = model_fit(width, old + by as i128, overflow);
                    (new, new)
                }
            };
            let effect = step.effect(&bytes);
            prop_assert_eq!(effect.answer.map(i128::from), answer);
            prop_assert_eq!(effect.change.map(i128::from), new.filter(|new| *new != old));

            bytes.resize(bytes.len().max(step.min_len()), 0);
            prop_assert_eq!(bytes.len() * 8, bits.len());
            prop_assert_eq!(step.apply(&mut bytes).map(i128::from), answer);
            let stored = new.unwrap_or(old);
            for (place, bit) in bits[range].iter_mut().rev().enumerate() {
                *bit = stored >> place & 1 == 1;
            }
            prop_assert_eq!(bits_of(&bytes), bits);
        }
    }

    #[test]
    fn types_are_one_letter_and_a_number() {
        let width = |word: &str| Width::parse(word.as_bytes());
        assert_eq!(width("i64"), Some(Width { sign: Sign::Signed, bits: 64 }));
        assert_eq!(width("u63"), Some(Width { sign: Sign::Unsigned, bits: 63 }));
        for wrong in ["", "i", "u", "u0", "i0", "i65", "u64", "u256", "i-1", "I8", "i08", "i+8", "i8 ", "8"] {
            assert_eq!(width(wrong), None, "{wrong}");
        }
    }
}
