// The stages where items wait for something else: a slot, the rest of a group, their partners.

#include <millrace/pipeline/detail/nodes.h>

#include <algorithm>
#include <utility>

namespace millrace::detail {

// ---- WithNode -----------------------------------------------------------------------------------

void WithNode::work(Message message) {
  if (message.kind == Message::Kind::item) parked_.push_back(std::move(message));
  while (!parked_.empty()) {
    Message& front = parked_.front();
    if (front.item && run_.control.is_ending()) {
      is_lost(front.sequence);
      front.item.reset();
    }
    if (front.item) {
      SlotHandle slot = spec_.pool->try_acquire();
      if (!slot) return;  // its return wakes this node
      const Clock::time_point begin = Clock::now();
      try {
        front.item = spec_.join_slot(front.item, std::move(slot));
      } catch (...) {
        failed(front.sequence, std::current_exception());
        front.item.reset();
      }
      counters_.worked(Clock::now() - begin);
    }
    const Clock::time_point now = Clock::now();
    counters_.leave(now);
    send(std::move(front), now);
    parked_.pop_front();
  }
}

// ---- GatherNode ---------------------------------------------------------------------------------

void GatherNode::input_ends(int, Length length) {
  Node::input_ends(0, {length.calls, length.calls});
}

void GatherNode::limit(Length length) {
  Node::limit({Length{}.items, length.items});
}

void GatherNode::work(Message message) {
  Partial& call = calls_[message.call];
  if (message.kind == Message::Kind::end_of_call)
    call.expected = message.index;
  else
    call.arrived.push_back(std::move(message));
  for (auto first = calls_.find(next_call_); first != calls_.end() && first->second.expected > 0 &&
                                             first->second.arrived.size() == first->second.expected;
       first = calls_.find(next_call_)) {
    deliver(first->first, std::move(first->second));
    calls_.erase(first);
    ++next_call_;
  }
}

void GatherNode::deliver(std::uint32_t number, Partial partial) {
  std::sort(partial.arrived.begin(), partial.arrived.end(),
            [](const Message& a, const Message& b) { return a.index < b.index; });
  const Clock::time_point begin = Clock::now();
  Message whole;
  whole.sequence = sequence_++;
  whole.token = partial.arrived.front().token;
  whole.call = number;
  std::vector<Item> live;
  for (Message& message : partial.arrived) {
    if (message.item) live.push_back(std::move(message.item));
    counters_.leave(begin);
  }
  if (!live.empty()) {
    const auto lost = partial.expected - static_cast<std::uint32_t>(live.size());
    try {
      whole.item = spec_.gather(std::move(live), whole.sequence, lost);
    } catch (...) {
      failed(whole.sequence, std::current_exception());
    }
  }
  const Clock::time_point end = Clock::now();
  counters_.worked(end - begin);
  send(std::move(whole), end);
}

// ---- JoinNode -----------------------------------------------------------------------------------

void JoinNode::input_ends(int, Length length) {
  limit(length);
}

void JoinNode::limit(Length length) {
  Message shorter;
  shorter.kind = Message::Kind::limit;
  shorter.sequence = length.items;
  enter(shorter, {});  // one thread at a time knows the length
}

void JoinNode::work(Message message) {
  if (message.kind == Message::Kind::limit) return shorten(message.sequence);
  if (message.sequence >= length_) {
    is_lost(message.sequence);
    return counters_.leave(Clock::now());
  }
  // Partners that will not come any more are not waited for.
  if (run_.control.is_ending()) {
    is_lost(message.sequence);
    drop_from(0);
    return counters_.leave(Clock::now());
  }
  const std::uint64_t sequence = message.sequence;
  const auto found = parked_.try_emplace(sequence).first;
  Parts& parts = found->second;
  parts.by_port.resize(spec_.inputs.size());
  parts.by_port[message.port] = std::move(message);
  if (++parts.arrived < spec_.inputs.size()) return;
  Parts all = std::move(parts);
  parked_.erase(found);
  deliver(sequence, std::move(all));
}

void JoinNode::shorten(std::uint64_t length) {
  if (length >= length_) return;
  length_ = length;
  drop_from(length);
  Node::input_ends(0, {length, length});
  Node::limit({length, Length{}.calls});
}

void JoinNode::drop_from(std::uint64_t sequence) {
  const auto first = parked_.lower_bound(sequence);
  if (first != parked_.end()) is_lost(first->first);
  for (auto at = first; at != parked_.end(); ++at) {
    for (std::size_t i = 0; i < at->second.arrived; ++i) counters_.leave(Clock::now());
  }
  parked_.erase(first, parked_.end());
}

void JoinNode::deliver(std::uint64_t sequence, Parts parts) {
  const Clock::time_point begin = Clock::now();
  Message whole;
  whole.sequence = sequence;
  const auto lost = std::find_if(parts.by_port.begin(), parts.by_port.end(),
                                 [](const Message& part) { return !part.item; });
  if (lost != parts.by_port.end()) {
    whole.token = std::move(lost->token);  // a tombstone of one is enough: the others let go
  } else {
    try {
      std::vector<Item> items;
      std::vector<SlotHandle> tokens;
      for (Message& part : parts.by_port) {
        items.push_back(std::move(part.item));
        tokens.push_back(part.token);
      }
      whole.token = Bundle::of(std::move(tokens));
      whole.item = spec_.join(items);
    } catch (...) {
      if (!whole.token) whole.token = parts.by_port.front().token;
      failed(sequence, std::current_exception());
    }
  }
  const Clock::time_point end = Clock::now();
  if (whole.item) counters_.worked(end - begin);
  for (std::size_t i = 0; i < parts.arrived; ++i) counters_.leave(end);
  parts.by_port.clear();
  send(std::move(whole), end);
}

}  // namespace millrace::detail
