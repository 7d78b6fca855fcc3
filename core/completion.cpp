#include <millrace/core/completion.h>

#include <millrace/core/error.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace millrace {

struct Completion::State {
  std::mutex mutex;  // guards the rest
  std::condition_variable ended;
  std::optional<Outcome> outcome;
  bool has_continuation = false;  // was given one, called or not
  Continuation continuation;
};

Completion Completion::done() {
  Promise promise;
  promise.end({});
  return promise.completion();
}

void Completion::then(Continuation continuation) const {
  std::optional<Outcome> outcome;
  {
    const std::scoped_lock lock(state_->mutex);
    MILLRACE_CHECK(!state_->has_continuation, "a completion has one continuation");
    state_->has_continuation = true;
    if (!state_->outcome) {
      state_->continuation = std::move(continuation);
      return;
    }
    outcome = state_->outcome;
  }
  continuation(*outcome);
}

Outcome Completion::wait() const {
  std::unique_lock lock(state_->mutex);
  state_->ended.wait(lock, [this] { return state_->outcome.has_value(); });
  const Outcome outcome = *state_->outcome;
  if (outcome.error) std::rethrow_exception(outcome.error);
  return outcome;
}

Promise::Promise() : state_(std::make_shared<Completion::State>()) {}

Promise& Promise::operator=(Promise&& other) noexcept {
  Promise taken(std::move(other));
  std::swap(state_, taken.state_);
  return *this;  // what was promised before ends with `taken`
}

Promise::~Promise() {
  if (state_ == nullptr) return;
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->outcome) return;
  }
  Outcome dropped;
  try {
    throw Error("what was begun was dropped before it ended");
  } catch (...) {  // that, or that there is no memory for saying so
    dropped.error = std::current_exception();
  }
  end(std::move(dropped));
}

void Promise::end(Outcome outcome) noexcept {
  Completion::Continuation continuation;
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->outcome) return;
    state_->outcome = outcome;
    continuation = std::exchange(state_->continuation, nullptr);
  }
  state_->ended.notify_all();
  if (continuation) continuation(outcome);
}

}  // namespace millrace
