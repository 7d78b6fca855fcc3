// The watch over runs that do not move any more: it names who is at work on what, and who holds the
// slots that others wait for.

#include "catch.h"
#include "pipeline/count_to.h"

#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

/// Keeps a body until the watch has spoken.
class Word {
 public:
  [[nodiscard]] StallWatch watch(double after_s) {
    return {.after_s = after_s, .tell = [this](const std::string& line) { tell(line); }};
  }
  void tell(const std::string& line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(line);
    told_.notify_all();
  }
  /// Until a line has these words. A loaded machine may stand still elsewhere, which is told too.
  void wait_for(const std::string& words) {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [&] { return !with(words).empty(); });
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  /// Requires: nobody tells meanwhile.
  [[nodiscard]] std::vector<std::string> with(const std::string& words) const {
    std::vector<std::string> found;
    for (const std::string& line : lines_) {
      if (line.find(words) != std::string::npos) found.push_back(line);
    }
    return found;
  }

 private:
  std::mutex mutex_;  // guards lines_
  std::condition_variable told_;
  std::vector<std::string> lines_;
};

/// Never returns from item 5 before the watch has spoken.
struct Reader {
  Word* word;
  int operator()(int n, Context& context) const {
    context.begin_part(static_cast<std::uint64_t>(100 + n));
    if (n == 5) word->wait_for("item 5");
    return n;
  }
  [[nodiscard]] std::string part_name(std::uint64_t part) const {
    return concat("img/", part, ".png");
  }
};

}  // namespace

TEST_CASE("a stalled run is told with the stage, its item and who holds the slots") {
  const int threads = GENERATE(1, 4);
  const On on = GENERATE(On::compute, On::blocking, On::engine);
  Word word;
  Pipeline p{{.threads = threads, .stall = word.watch(0.1)}};
  auto numbers = p.source({.name = "count"}, slots(3), count_to(50));
  auto read = p.then(numbers, {.name = "read", .on = on}, Reader{&word});
  int items = 0;
  p.sink(read, {.name = "end"}, [&](int) { ++items; });
  p.run();
  CHECK(items == 50);  // it goes on when the reader does
  REQUIRE(word.with("item 5").size() == 1);
  CHECK_THAT(word.with("item 5").front(),
             Contains("nothing has moved for 0.1 s: stage 'read' has worked on item 5 "
                      "(img/105.png) for ") &&
                 Contains("; all 3 slots of pool 'count slots' are held by "));
}

TEST_CASE("each stall is told once") {
  Word word;
  Pipeline p{{.stall = word.watch(0.05)}};
  auto numbers = p.source({.name = "count"}, slots(1), count_to(3));
  p.sink(numbers, {.name = "wait", .on = On::blocking},
         [&](int n) { word.wait_for(concat("stage 'wait' has worked on item ", n, " for")); });
  p.run();
  for (int n = 0; n < 3; ++n) {
    CHECK(word.with(concat("stage 'wait' has worked on item ", n, " for")).size() == 1);
  }
}

TEST_CASE("a source that never returns is told too") {
  Word word;
  Pipeline p{{.stall = word.watch(0.05)}};
  auto numbers = p.source({.name = "list", .on = On::blocking}, slots(2), [&, i = 0]() mutable {
    if (i == 3) word.wait_for("stage 'list' has worked on item 3 for");
    return i < 4 ? std::optional<int>(i++) : std::nullopt;
  });
  p.sink(numbers, {.name = "end"}, [](int) {});
  p.run();
  CHECK(word.with("stage 'list' has worked on item 3 for").size() == 1);
}

TEST_CASE("work elsewhere that does not end is told with its stage") {
  Word word;
  Pipeline p{{.stall = word.watch(0.05)}};
  auto device = p.pool<int>("device", 1, [] { return 0; });
  std::vector<Promise> begun;
  auto numbers = p.source({.name = "count"}, slots(4), count_to(1));
  auto copied = p.then(p.with(numbers, {.name = "slot"}, device), {.name = "copy"},
                       [&](const With<int, int>& with) {
                         begun.emplace_back();
                         return Pending<With<int, int>>{with, begun.back().completion()};
                       });
  p.sink(copied, {.name = "end"}, [](const With<int, int>&) {});
  std::thread ends([&] {
    word.wait_for("what stage 'copy' began");
    begun.front().end({});
  });
  p.run();
  ends.join();
  CHECK_THAT(word.with("what stage 'copy' began").front(),
             Contains("what stage 'copy' began for 1 item has not ended") &&
                 Contains("the slot of pool 'device' is held by 1 item at 'copy'"));
}

TEST_CASE("a stall ends the run where that was asked for") {
  {  // the first run of a program makes oneTBB's workers, which takes long under a sanitizer
    Pipeline first;
    first.sink(first.source({.name = "count"}, slots(2), count_to(50)), {.name = "end"},
               [](int) {});
    first.run();
  }
  Pipeline p{{.stall = {.after_s = 0.05, .ends_run = true}}};
  auto numbers = p.source({.name = "count"}, slots(2), count_to(50));
  p.sink(numbers, {.name = "read"}, [](int n, Context& context) {
    while (n == 7 && !context.is_stopping()) std::this_thread::yield();
  });
  // On a loaded machine it may be another item that stood still.
  CHECK_THROWS_WITH(p.run(), Contains("nothing has moved for"));
}

TEST_CASE("a long body that begins part after part is no stall") {
  Word word;
  Pipeline p{{.stall = word.watch(0.4)}};
  auto numbers = p.source({.name = "count"}, slots(1), count_to(1));
  std::chrono::steady_clock::duration longest{};  // from the beginning of a part to the next
  p.sink(numbers, {.name = "long"}, [&](int, Context& context) {
    auto now = std::chrono::steady_clock::now();
    const auto end = now + std::chrono::milliseconds(900);
    for (std::uint64_t part = 0; now < end; ++part) {
      context.begin_part(part);
      const auto before = std::exchange(now, std::chrono::steady_clock::now());
      longest = std::max(longest, now - before);
    }
  });
  p.run();
  // Where the body did not get a core for so long, it was right to tell of it.
  CHECK((word.lines().empty() || longest > std::chrono::milliseconds(200)));
}
