#pragma once
// A stream in random order, as far as a buffer reaches: what streams have in place of a shuffled
// index.
//
//   p.source("lines", slots(8), shuffled(lines("notes.txt"), 1000, seed));

#include <millrace/core/random.h>
#include <millrace/pipeline/generator.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace millrace {

/// The items of `input`, each once: `buffer` items are held, one of them at random comes out, and
/// the next item of the input is held in its place. So item i comes out no earlier than as number
/// i - buffer + 1, and however late. 0 and 1 keep the order; a buffer that holds the whole input
/// shuffles it evenly. The order is a function of `seed` and of the number of items alone.
///
/// Reads nothing before the first item is asked for, and an item more each time. What the input
/// throws comes out at once, and the items that were held are gone. The buffer is in no budget:
/// charge it (Pipeline::charge) where items are large.
template <class T>
Generator<T> shuffled(Generator<T> input, std::size_t buffer, std::uint64_t seed) {
  Random random(seed, 0, 0, Purpose::shuffle_buffer);
  std::vector<T> held;
  bool has_more = true;
  for (;;) {
    while (has_more && (held.empty() || held.size() < buffer)) {
      std::optional<T> next = input.next();
      has_more = next.has_value();
      if (has_more) held.push_back(*std::move(next));
    }
    if (held.empty()) co_return;
    // The last one fills the gap, so that there is room for the next one at the end.
    const std::size_t at = random.below(held.size());
    T drawn = std::move(held[at]);
    if (at + 1 < held.size()) held[at] = std::move(held.back());
    held.pop_back();
    co_yield std::move(drawn);
  }
}

}  // namespace millrace
