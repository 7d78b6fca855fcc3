// What `train` does with files that are no images: it ends and names one, or leaves them out, as
// it is told.

#include "apps/images.h"
#include "apps/train_failure.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Two good classes and one file that is bad.
fs::path with_bad_file(const std::string& name, const std::string& file,
                       const std::string& content) {
  const fs::path folder = scratch(name);
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  write_text(folder / "data" / "cats" / file, content);
  return folder;
}

std::string truncated_jpeg() {
  const std::vector<std::byte> whole =
      read_file(fs::path(MILLRACE_TEST_DATA) / "io" / "pictures" / "444.jpg");
  return {reinterpret_cast<const char*>(whole.data()), whole.size() / 2};
}

}  // namespace

TEST_CASE("files that are no images end the run with their names, and no model is left") {
  const auto [name, file, content] = GENERATE(
      table<std::string, std::string, std::string>({{"zero", "zero.png", ""},
                                                    {"text", "text.jpg", "this is a text\n"},
                                                    {"truncated", "half.jpg", truncated_jpeg()}}));
  const fs::path folder = with_bad_file(name, file, content);
  const Outcome outcome = train(folder, {"--validation-share", "0"});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("decode: ") && Contains(file));
  check_no_model(folder);
}

TEST_CASE("files that are no images can be left out, and are named") {
  const fs::path folder = with_bad_file("skip", "text.jpg", "this is a text\n");
  const Outcome outcome = train(folder, {"--validation-share", "0", "--on-bad-image", "skip"});
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.err, Contains("text.jpg"));
  CHECK_THAT(outcome.out, Contains("1 left out"));
  CHECK(fs::exists(folder / "run" / "model.safetensors"));
}

TEST_CASE("more bad files than may be left out fail the run") {
  const fs::path folder = with_bad_file("limit", "one.jpg", "text");
  write_text(folder / "data" / "dogs" / "two.jpg", "text");
  const Outcome outcome = train(
      folder, {"--validation-share", "0", "--on-bad-image", "skip", "--bad-image-limit", "1"});
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.err, Contains("one more than the 1 that may be skipped"));
}

TEST_CASE("data of which no image can be read fails the run though bad ones may be left out") {
  const auto [name, share] = GENERATE(
      table<std::string, std::string>({{"all_bad", "0"}, {"all_bad_and_validation", "0.5"}}));
  const fs::path folder = scratch(name);
  for (const char* file : {"cats/0.png", "cats/1.png", "dogs/0.png", "dogs/1.png"}) {
    write_text(folder / "data" / file, "no image");
  }
  const Outcome outcome = train(folder, {"--validation-share", share, "--on-bad-image", "skip"});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("no training sample could be read"));
  check_no_model(folder);
}

TEST_CASE("a file that may not be read") {
  const fs::path folder = with_bad_file("unreadable", "secret.png", "x");
  fs::permissions(folder / "data" / "cats" / "secret.png", fs::perms::none);
  const Outcome outcome = train(folder, {"--validation-share", "0"}, {.drop_privileges = true});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("secret.png") && Contains("ermission"));
  check_no_model(folder);
}
