#include <millrace/training/run_directory.h>

#include <millrace/core/error.h>
#include <millrace/io/run_marker.h>

#include "catch.h"
#include "io/scratch.h"

#include <ctime>
#include <optional>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

TEST_CASE("folders of runs are named by the second, and those of one second are numbered") {
  const Scratch scratch;
  std::tm local{};
  local.tm_year = 126;
  local.tm_mon = 0;
  local.tm_mday = 31;
  local.tm_hour = 15;
  local.tm_min = 45;
  local.tm_isdst = -1;
  const std::time_t now = std::mktime(&local);
  const fs::path runs = scratch / "runs";
  {
    const NewRunFolder first(runs, now);
    std::optional<NewRunFolder> second(std::in_place, runs, now);
    const NewRunFolder third(runs, now);
    CHECK(first.path() == runs / "20260131-154500");
    CHECK(second->path() == runs / "20260131-154500-2");
    CHECK(third.path() == runs / "20260131-154500-3");
    CHECK(is_run_directory(first.path()));
    second.reset();  // nothing was put into it
    CHECK_FALSE(fs::exists(runs / "20260131-154500-2"));
    write_file(third.path() / "config.ini", {});
  }
  CHECK_FALSE(fs::exists(runs / "20260131-154500"));
  CHECK(fs::exists(runs / "20260131-154500-3/config.ini"));
  CHECK_THROWS_WITH(NewRunFolder(scratch.write("file", "x"), now), Contains("file"));
}

TEST_CASE("a run directory has one writer, whatever it means to do with it") {
  const Scratch scratch;
  const fs::path run = scratch / "run";
  const OldRun later = GENERATE(OldRun::refuse, OldRun::replace, OldRun::resume);
  {
    const RunDirectory first(run, OldRun::refuse);
    CHECK(first.is_locked());
    first.write_config("epochs = 3\n");
    CHECK_THROWS_WITH(RunDirectory(run, later), Contains("another process is writing this run"));
  }
  if (later == OldRun::refuse) {
    CHECK_THROWS_WITH(RunDirectory(run, later), Contains("holds a run already"));
    return;
  }
  const RunDirectory second(run, later);
  CHECK(second.is_locked());
  CHECK(fs::exists(run / "config.ini") == (later == OldRun::resume));
}

TEST_CASE("what is no run is not made one by going on with it") {
  const Scratch scratch;
  CHECK_THROWS_WITH(RunDirectory(scratch / "nowhere", OldRun::resume),
                    Contains("holds no run to resume"));
  CHECK_FALSE(fs::exists(scratch / "nowhere"));
}
