// --resident as a user meets it where there is no GPU.

#include "apps/train_failure.h"
#include "apps/train_run.h"

using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

TEST_CASE("on the CPU resident samples are refused, before anything is read or written") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 3);
  const Outcome outcome =
      train(data, scratch / "run", {"--model", "mlp:8", "--resident", "--device", "cpu"});
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("--resident keeps data in a GPU's memory") &&
                              Contains("choose the GPU, or leave --resident out"));
  CHECK_FALSE(fs::exists(scratch / "run"));
}

TEST_CASE("bench train on the CPU refuses resident samples too") {
  const Outcome outcome =
      run({"bench", "train", "--model", "mlp:8", "--samples", "64", "--resident"});
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("--resident keeps data in a GPU's memory"));
}
