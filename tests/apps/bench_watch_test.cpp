// What a benchmark shows of itself, and how it is stopped.

#include "apps/screen_text.h"
#include "catch.h"

#include "apps/bench/bench_watch.h"

#include <millrace/io/watch.h>

#include <sstream>
#include <stop_token>
#include <string>

using namespace millrace;
using namespace millrace::apps;
using namespace millrace::test;

namespace {

Screen screen_of(Show show, std::ostream& out) {
  Screen screen(show);
  screen.out = &out;
  screen.columns = [] { return 80; };
  return screen;
}

}  // namespace

TEST_CASE("what is measured is drawn on a terminal, and gone before something is printed") {
  std::ostringstream out;
  BenchWatch watch(screen_of(Show::bar, out), {});
  watch.begin("resnet50 at batch 32 on cpu", true);
  CHECK(out.str().empty());
  watch.at("training steps", 2, 5);
  ScreenText drawn(80);
  drawn.write(out.str());
  CHECK(drawn.lines().front() == "measuring training steps of resnet50 at batch 32 on cpu: 2 of 5");
  watch.clear();
  out << "result\n";
  ScreenText after(80);
  after.write(out.str());
  CHECK(after.lines().front() == "result");
}

TEST_CASE("elsewhere than on a terminal a benchmark has a line for what takes long") {
  std::ostringstream out;
  BenchWatch watch(screen_of(Show::lines, out), {});
  watch.begin("mlp:8 at batch 4 on cpu");
  watch.at("training steps", 0, 5);
  CHECK(out.str().empty());
  watch.begin("vgg16 at batch 4 on cpu", true);
  watch.at("training steps", 0, 5);
  CHECK(out.str() == "measuring vgg16 at batch 4 on cpu\n");
}

TEST_CASE("a stop is answered at once, and ends a benchmark wherever it looks next") {
  std::ostringstream out;
  std::stop_source stop;
  BenchWatch watch(screen_of(Show::lines, out), stop.get_token());
  const auto on_timing = watch.on_timing();
  CHECK_NOTHROW(watch.check());
  CHECK_NOTHROW(on_timing(1));
  stop.request_stop();
  CHECK(out.str() == "millrace: stopping; Ctrl-C again ends at once\n");
  CHECK(watch.stop().stop_requested());
  CHECK_THROWS_AS(watch.check(), Stopped);
  CHECK_THROWS_AS(watch.at("training steps", 1, 5), Stopped);
  CHECK_THROWS_AS(watch.begin("another"), Stopped);
  CHECK_THROWS_AS(on_timing(2), Stopped);
}
