#pragma once
// What Pipeline's templates write down and the runtime executes: stages without their types.

#include <millrace/core/bytes.h>
#include <millrace/core/completion.h>
#include <millrace/pipeline/detail/item.h>
#include <millrace/pipeline/pool.h>
#include <millrace/pipeline/stage.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::detail {

class HandOver;

/// The output of a call, or nothing if the item ends here.
struct Output {
  Item item;
  std::optional<Completion> ended{};  // of a Pending: until then the item stays
};

/// One copy of a node's callable.
class Body {
 public:
  virtual ~Body() = default;
  virtual Output call(Item& input, Context& context) = 0;
  /// What Context::begin_part() was given, in words; empty if the node has none. Any thread.
  [[nodiscard]] virtual std::string part_name(std::uint64_t) const { return {}; }
};

/// Receives what a source emits.
class EmitTarget {
 public:
  virtual ~EmitTarget() = default;
  virtual void emit(Item item) = 0;
};

/// A source's callable: called with a free slot; false at the end of the data.
class SourceBody {
 public:
  virtual ~SourceBody() = default;
  virtual bool call(const SlotHandle& slot, EmitTarget& target, Context& context) = 0;
};

/// Turns the items of one source call into one item.
using GatherItems =
    std::function<Item(std::vector<Item> live, std::uint64_t number, std::uint32_t lost)>;

/// Joins an item with the slot that was waited for.
using JoinSlot = std::function<Item(Item& item, SlotHandle slot)>;

/// Makes one item of the items of the same number in several streams.
using JoinItems = std::function<Item(std::vector<Item>& parts)>;

struct StageSpec {
  enum class Kind { source, then, with, gather, join, sink };
  Kind kind = Kind::then;
  Stage options{};
  std::vector<int> inputs{};         // indices of the stages whose outputs this one reads
  std::shared_ptr<PoolCore> pool{};  // source, with
  std::function<std::unique_ptr<SourceBody>()> make_source{};  // source
  std::optional<Position> begin{};                             // of a source of slots()
  bool takes_position = false;  // source: a factory that takes where to begin
  std::function<std::unique_ptr<Body>()> make_body{};  // then, sink
  std::shared_ptr<HandOver> hand_over{};               // of a sink that is a range, without a body
  bool runs_once = false;       // its callable cannot be copied, and goes into the first run
  bool has_run = false;         // at all
  bool is_pending = false;      // then: items end elsewhere, in any order
  bool writes_input = false;    // then, sink: in place, so nobody else may read the input
  bool is_serial = false;       // then, sink: keeps state over items, so one at a time
  bool can_hold_leases = true;  // what comes out may hold leases that came in
  JoinSlot join_slot{};         // with
  GatherItems gather{};         // gather
  JoinItems join{};             // join
};

[[nodiscard]] const char* to_string(StageSpec::Kind kind) noexcept;

}  // namespace millrace::detail
