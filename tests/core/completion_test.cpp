#include <millrace/core/completion.h>
#include <millrace/core/error.h>

#include "catch.h"

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace millrace;
using Catch::Contains;

namespace {

/// Counts how often it was called, and keeps the last outcome.
struct Called {
  int times = 0;
  Outcome outcome;
  [[nodiscard]] Completion::Continuation continuation() {
    return [this](const Outcome& ended) {
      ++times;
      outcome = ended;
    };
  }
};

Outcome failure(const char* words) {
  return {.error = std::make_exception_ptr(Error(words))};
}

}  // namespace

TEST_CASE("a continuation that is there first is called when the end comes, once") {
  Promise promise;
  Called called;
  promise.completion().then(called.continuation());
  CHECK(called.times == 0);
  promise.end({.device_s = 0.25});
  CHECK(called.times == 1);
  CHECK(called.outcome.device_s == 0.25);
  promise.end({.device_s = 0.5});
  CHECK(called.times == 1);
  CHECK(promise.completion().wait().device_s == 0.25);  // later words are ignored
}

TEST_CASE("a continuation that comes after the end is called at once, on the thread that asks") {
  const Completion completion = Completion::done();
  std::thread::id thread;
  completion.then([&](const Outcome&) { thread = std::this_thread::get_id(); });
  CHECK(thread == std::this_thread::get_id());
}

TEST_CASE("a second continuation is refused, before the end and after it") {
  Called called;
  const Completion past = Completion::done();
  past.then(called.continuation());
  CHECK_THROWS_AS(past.then(called.continuation()), std::logic_error);
  Promise promise;
  promise.completion().then(called.continuation());
  CHECK_THROWS_AS(promise.completion().then(called.continuation()), std::logic_error);
  promise.end({});
  CHECK_THROWS_AS(promise.completion().then(called.continuation()), std::logic_error);
  CHECK(called.times == 2);
}

TEST_CASE("a promise that is dropped ends its completion with an error") {
  Called called;
  std::optional<Completion> completion;
  {
    const Promise promise;
    completion = promise.completion();
    completion->then(called.continuation());
  }
  CHECK(called.times == 1);
  CHECK(called.outcome.error != nullptr);
  CHECK_THROWS_WITH(completion->wait(), Contains("dropped"));
}

TEST_CASE("a promise that gets another's place ends what it had promised at once") {
  Promise first, second;
  const Completion old = first.completion(), kept = second.completion();
  first = std::move(second);
  CHECK_THROWS_AS(old.wait(), Error);
  first.end({.device_s = 1});
  CHECK(kept.wait().device_s == 1);
}

TEST_CASE("a promise that moved away ends nothing when it goes") {
  Completion completion = Completion::done();
  Promise kept;
  {
    Promise promise;
    completion = promise.completion();
    kept = std::move(promise);
  }
  kept.end({.device_s = 2});
  CHECK(completion.wait().device_s == 2);
}

TEST_CASE("waiting throws the error that ended it, each time it is asked") {
  Promise promise;
  const Completion completion = promise.completion();
  promise.end(failure("the copy failed"));
  CHECK_THROWS_WITH(completion.wait(), "the copy failed");
  CHECK_THROWS_WITH(completion.wait(), "the copy failed");
}

TEST_CASE("waiting ends when another thread ends it, and sees what that thread wrote") {
  Promise promise;
  const Completion completion = promise.completion();
  int written = 0;
  std::thread other([&] {
    written = 1;
    promise.end({.device_s = 3});
  });
  CHECK(completion.wait().device_s == 3);
  CHECK(written == 1);
  other.join();
}

TEST_CASE("when asking and ending race the continuation is called exactly once") {
  for (int round = 0; round < 500; ++round) {
    Promise promise;
    const Completion completion = promise.completion();
    std::atomic<int> times = 0;
    std::atomic<bool> go = false;
    std::thread other([&] {
      while (!go) std::this_thread::yield();
      promise.end({});
    });
    go = true;
    completion.then([&](const Outcome&) { ++times; });
    other.join();
    REQUIRE(times == 1);
  }
}

TEST_CASE("a continuation may drop the last handle of its completion") {
  Promise promise;
  auto held = std::make_shared<Completion>(promise.completion());
  int times = 0;
  const Completion& completion = *held;
  completion.then([held, &times](const Outcome&) mutable {
    held.reset();
    ++times;
  });
  held.reset();
  promise.end({});
  CHECK(times == 1);
}
