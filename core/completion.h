#pragma once
// Signals that work elsewhere has ended: a copy to a device, a kernel. Whoever started it holds
// the Promise, whoever waits for it the Completion. Nothing blocks: a continuation is called.

#include <exception>
#include <functional>
#include <memory>

namespace millrace {

/// How it ended.
struct Outcome {
  std::exception_ptr error{};  ///< null: well
  double device_s = 0;         ///< what it took on the device, in seconds; 0 where nobody measured
};

/// A cheap handle; copies are the same completion. Thread-safe.
class Completion {
 public:
  using Continuation = std::function<void(const Outcome&)>;

  /// Something that has ended well already.
  [[nodiscard]] static Completion done();

  /// Calls `continuation` exactly once, when it has ended: on the thread that ended it, or here and
  /// now if that is past. One continuation at most. It must not throw.
  void then(Continuation continuation) const;
  /// Blocks until it has ended; rethrows its error. Takes the place of then().
  Outcome wait() const;

 private:
  friend class Promise;
  struct State;
  explicit Completion(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// The other end. Move-only; one that is destroyed without a word ends its completion with an
/// Error, so that nobody waits for ever. Thread-safe against its Completion.
class Promise {
 public:
  Promise();
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept;
  ~Promise();

  [[nodiscard]] Completion completion() const { return Completion(state_); }
  /// Once at most; later words are ignored.
  void end(Outcome outcome) noexcept;

 private:
  std::shared_ptr<Completion::State> state_;
};

}  // namespace millrace
