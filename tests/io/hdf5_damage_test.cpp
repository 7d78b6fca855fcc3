// Damaged HDF5 files at random: reading may fail or give other numbers, but the program goes on.

#include <millrace/core/random.h>
#include <millrace/io/hdf5.h>

#include "catch.h"
#include "io/scratch.h"

#include <iostream>

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr std::uint64_t kSeed = 20240811;

std::vector<std::byte> damaged(std::vector<std::byte> file, Random random) {
  if (random.coin(0.2)) file.resize(random.below(file.size()));
  const std::uint64_t changes = 1 + random.below(8);
  for (std::uint64_t i = 0; i < changes && !file.empty(); ++i) {
    // Mostly where structures are: a changed weight is a weight.
    const std::size_t at = random.below(file.size());
    file[at] = static_cast<std::byte>(random.coin(0.3) ? 255 : random.below(256));
  }
  return file;
}

struct Tally {
  int refused = 0, crashed = 0;
};

Tally read_damaged(const char* name, std::uint64_t count) {
  const std::vector<std::byte> whole =
      read_file(std::filesystem::path(MILLRACE_TEST_DATA "/io/weights") / name);
  const Scratch scratch;
  Tally tally;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto path = scratch.write("d.h5", damaged(whole, Random(kSeed, 0, i, Purpose::user)));
    try {
      const Hdf5File file(path, std::chrono::seconds(5));
      for (const Hdf5File::Dataset& dataset : file.datasets()) {
        if (dataset.shape.elements() > 100'000 || !dataset.type.starts_with('F')) continue;
        std::vector<float> values(static_cast<std::size_t>(dataset.shape.elements()));
        const std::int64_t rows = dataset.shape.rank() == 0 ? 1 : dataset.shape[0];
        file.read_rows(dataset, 0, rows, values);
      }
    } catch (const Error& error) {
      const std::string message = error.what();
      ++tally.refused;
      if (message.find("the process that read it") != std::string::npos) ++tally.crashed;
      if (!message.starts_with(path.string())) FAIL_CHECK(message);
      if (message.find('\n') != std::string::npos) FAIL_CHECK(message);
    }
  }
  return tally;
}

}  // namespace

TEST_CASE("damaged HDF5 files are survived") {
  INFO("seed " << kSeed);
  for (const char* name : {"keras2.h5", "keras3.weights.h5"}) {
    const Tally tally = read_damaged(name, 150);
    INFO(name << ": " << tally.refused << " refused, " << tally.crashed << " of them by a crash");
    CHECK(tally.refused > 30);
    CHECK(tally.refused < 150);
  }
}
