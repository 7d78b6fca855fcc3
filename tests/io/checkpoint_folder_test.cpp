#include <millrace/io/checkpoint_folder.h>

#include "catch.h"
#include "io/scratch.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

Checkpoint state_of(std::uint64_t step) {
  Checkpoint state;
  state.set("step", step);
  state.arrays["parameters"] = {static_cast<float>(step)};
  return state;
}

void write_all(CheckpointFolder& folder, std::initializer_list<std::uint64_t> steps) {
  for (const std::uint64_t step : steps) folder.write(step, state_of(step));
}

std::vector<std::uint64_t> steps_of(const CheckpointFolder& folder) {
  std::vector<std::uint64_t> steps;
  for (const CheckpointFolder::Entry& entry : folder.list()) steps.push_back(entry.step);
  return steps;
}

using Steps = std::vector<std::uint64_t>;

// Flips a bit in the middle of the file.
void damage(const fs::path& path) {
  std::vector<std::byte> bytes = read_file(path);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file(path, bytes);
}

}  // namespace

TEST_CASE("checkpoints are named by their step and listed newest first") {
  const Scratch scratch;
  CheckpointFolder folder(scratch / "run/checkpoints", 0);
  CHECK(folder.list().empty());
  write_all(folder, {99'999'999, 100'000'000, 100'000'001});
  CHECK(folder.file_of(1200) == scratch / "run/checkpoints/step-00001200.ckpt");
  CHECK(steps_of(folder) == Steps{100'000'001, 100'000'000, 99'999'999});
  CHECK(folder.list().front().path == folder.file_of(100'000'001));
}

TEST_CASE("the last few checkpoints stay") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 2);
  write_all(folder, {10, 20, 30, 40});
  CHECK(steps_of(folder) == Steps{40, 30});
}

TEST_CASE("the best checkpoint stays, and gives way to a better one") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 1);
  CHECK_FALSE(folder.best());
  folder.write(10, state_of(10), true);
  write_all(folder, {20, 30});
  CHECK(steps_of(folder) == Steps{30, 10});
  CHECK(folder.best() == 10U);
  CHECK(read_checkpoint(folder.best_file()).get<int>("step") == 10);
  folder.write(40, state_of(40), true);
  CHECK(steps_of(folder) == Steps{40});
  folder.write(50, state_of(50));
  CHECK(folder.best() == 40U);
  CHECK(steps_of(folder) == Steps{50, 40});
}

TEST_CASE("only a checkpoint that is there can be the best") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path());
  CHECK_THROWS_WITH(folder.mark_best(7),
                    folder.file_of(7).string() + ": is not there to be the best");
  folder.write(7, state_of(7), true);
  fs::remove(folder.file_of(7));
  CHECK_FALSE(folder.best());
}

TEST_CASE("the newest whole checkpoint is found, and damaged ones are named") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 0);
  CHECK_FALSE(folder.last_good().entry);
  write_all(folder, {10, 20, 30, 40});
  damage(folder.file_of(30));
  fs::resize_file(folder.file_of(40), 100);
  const CheckpointFolder::Found found = folder.last_good();
  REQUIRE(found.entry);
  CHECK(found.entry->step == 20);
  CHECK(found.checkpoint.get<int>("step") == 20);
  REQUIRE(found.damaged.size() == 2);
  CHECK(found.damaged[0].starts_with(folder.file_of(40).string() + ": "));
  CHECK(found.damaged[1].starts_with(folder.file_of(30).string() + ": "));
}

TEST_CASE("no whole checkpoint is none, with what is wrong with each") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path());
  write_all(folder, {10, 20});
  damage(folder.file_of(10));
  damage(folder.file_of(20));
  const CheckpointFolder::Found found = folder.last_good();
  CHECK_FALSE(found.entry);
  CHECK(found.damaged.size() == 2);
}

TEST_CASE("a damaged checkpoint does not push a whole one out") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 1);
  folder.write(10, state_of(10));
  // Newer ones that a crash of the machine left damaged; the run goes on from step 10.
  for (const std::uint64_t step : {20, 30}) {
    write_checkpoint(folder.file_of(step), state_of(step));
    damage(folder.file_of(step));
  }
  REQUIRE(folder.last_good().entry->step == 10);
  folder.write(15, state_of(15));
  CHECK(steps_of(folder) == Steps{15});
  CHECK(folder.last_good().entry->step == 15);
}

TEST_CASE("a best checkpoint of a later step stays when a run begins again before it") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 2);
  folder.write(20, state_of(20), true);
  write_all(folder, {10, 12, 14});
  CHECK(steps_of(folder) == Steps{20, 14, 12});
  CHECK(folder.best() == 20U);
}

TEST_CASE("what a killed writer left is ignored, and removed by the next write") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path());
  folder.write(10, state_of(10));
  scratch.write(".step-00000020.ckpt.4711.0.tmp", "half");
  fs::create_symlink("step-00000099.ckpt", scratch / ".best.ckpt.tmp");
  scratch.write("notes.txt", "mine");
  scratch.write("step-1.ckpt", "not our name");
  CHECK(steps_of(folder) == Steps{10});
  CHECK(folder.last_good().damaged.empty());
  folder.write(20, state_of(20), true);
  CHECK(steps_of(folder) == Steps{20, 10});
  CHECK(folder.best() == 20U);
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 5);
  CHECK(fs::exists(scratch / "notes.txt"));
}

TEST_CASE("a checkpoint that cannot be written deletes nothing") {
  const Scratch scratch;
  CheckpointFolder folder(scratch.path(), 1);
  folder.write(10, state_of(10));
  fs::create_directories(folder.file_of(20) / "in the way");
  CHECK_THROWS_AS(folder.write(20, state_of(20)), Error);
  CHECK(read_checkpoint(folder.file_of(10)).get<int>("step") == 10);
}
