#pragma once
// A stage of a running pipeline as a node of a oneTBB flow graph. Only the sources that include
// this see flow_graph.h.
//
// Every stage is one multifunction_node, after a sequencer_node if it needs the order of the
// source and its input does not have it. Nodes never throw into oneTBB and never cancel the graph:
// an item that fails travels on as a tombstone, so sequencers see every number and every lease
// returns. Work on other threads holds a reservation of the graph.

#include <millrace/pipeline/detail/call_slot.h>
#include <millrace/pipeline/detail/control.h>
#include <millrace/pipeline/detail/counters.h>
#include <millrace/pipeline/detail/lane.h>
#include <millrace/pipeline/detail/message.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/detail/trace.h>
#include <millrace/pipeline/stage_watch.h>

#include <oneapi/tbb/flow_graph.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

namespace millrace::detail {

/// What all nodes of a run share.
struct RunContext {
  oneapi::tbb::flow::graph& graph;
  RunControl& control;
  Trace& trace;
  StageWatch* watch;  // or null
  int threads;        // of oneTBB
};

class Node {
 public:
  Node(RunContext run, const StageSpec& spec, int index, int concurrency, Lane* lane,
       bool restores_order);
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Puts a message into the node's queue. Any thread. `now` saves a look at the clock, which costs
  /// more than the rest of a hop.
  void enter(Message message, Clock::time_point now);
  /// A free slot of the node's pool may be taken.
  void wake();
  /// Connects the parts of the node. Begins tasks of oneTBB, so not for constructors: one that
  /// throws would leave them running.
  void open();
  /// Each consumer gets all items. Before the run.
  void feed(Node* next, int port);
  /// From now on the node works on what its input sends right there, on the thread of the input.
  void follow_directly() noexcept { follows_directly_ = true; }
  virtual void start(Clock::time_point now) { counters_.start(now); }

  /// No input beyond `length` comes at `port`: an end of the data, passed on to later joins. Any
  /// thread.
  virtual void input_ends(int port, Length length);
  /// Its only consumer needs no output beyond `length`: passed to the sources in front, unless
  /// others read on the way. Any thread.
  void output_is_unread(Length length);

  /// An item of this number does not go the whole way, and the run with it: passed to the sources
  /// in front. What a policy skips is not meant. Any thread.
  virtual void is_lost(std::uint64_t sequence) noexcept;

  /// Items that the node holds back. With nothing under way there are none, or the run has stalled.
  [[nodiscard]] virtual std::size_t held_back() const { return 0; }
  /// The first of them. Requires: there is one.
  [[nodiscard]] virtual std::uint64_t first_held_back() const { return 0; }
  [[nodiscard]] const StageSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] const std::vector<Node*>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] virtual StageReport report() const;

  /// For observers while it runs. Any thread.
  [[nodiscard]] const StageCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] virtual std::uint64_t movement() const { return counters_.movement(); }
  /// The call that has been under way for longest.
  [[nodiscard]] virtual std::optional<CallView> longest_call() const { return std::nullopt; }

 protected:
  /// Works on one message, on the stage's threads.
  virtual void work(Message message) = 0;
  virtual void limit(Length length);
  void send(Message message, Clock::time_point now);
  /// Again into the stage's queue, without having left it.
  void enter_again(const Message& message) { entry_.try_put(message); }
  /// Whether the policy has the item tried again after this failure; counts it.
  [[nodiscard]] bool tries_again(Message& message, const std::exception_ptr& cause) noexcept;
  /// Records a failure, as the stage's policy says.
  void failed(std::uint64_t sequence, std::exception_ptr cause) noexcept;
  /// Counts a skip; throws Error when the policy does not allow it (any more).
  void skip(const std::string& what);

  RunContext run_;
  const StageSpec& spec_;
  const int index_;
  const int concurrency_;
  const int workers_;  // threads that can be in the body at a time
  StageCounters counters_;
  bool follows_directly_ = false;
  struct Edge {
    Node* node;
    int port;
  };
  std::vector<Edge> next_;

 private:
  void dispatch(const Message& message);
  /// Nothing is thrown into oneTBB, not even where there is no memory left to park an item.
  void work_safely(Message message) noexcept;

  using Entry = oneapi::tbb::flow::multifunction_node<Message, std::tuple<Message>>;
  using Sequencer = oneapi::tbb::flow::sequencer_node<Message>;
  std::vector<Node*> inputs_;
  Lane* const lane_;
  std::atomic<std::uint64_t> skips_{0};
  std::unique_ptr<Sequencer> sequencer_;
  Entry entry_;
};

}  // namespace millrace::detail
