#pragma once
// What the tests of failing runs share: a folder for each, and what a failure must look like.

#include "apps/run_program.h"
#include "catch.h"

#include <millrace/io/files.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace millrace::test {

/// A fresh folder for a case, where every user may write.
inline std::filesystem::path scratch(const std::string& name) {
  const std::filesystem::path folder =
      std::filesystem::path(MILLRACE_SCRATCH) / "train_errors" / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  return folder;
}

/// `train FOLDER/data --run-dir FOLDER/run` for one epoch, and `more`.
inline Outcome train(const std::filesystem::path& folder, const std::vector<std::string>& more,
                     RunOptions options = {}) {
  std::vector<std::string> arguments = {"train",
                                        (folder / "data").string(),
                                        "--run-dir",
                                        (folder / "run").string(),
                                        "--epochs",
                                        "1",
                                        "--batch",
                                        "4",
                                        "--compute-threads",
                                        "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run(arguments, options);
}

/// Exactly one line on stderr, beginning with the program's name, that speaks to users: it names no
/// source file.
inline void check_one_line(const Outcome& outcome) {
  const std::vector<std::string> lines = Outcome::lines(outcome.err);
  INFO(outcome.err);
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().rfind("millrace: ", 0) == 0);
  CHECK_THAT(lines.front(), !Catch::Contains(".cpp") && !Catch::Contains(".h:"));
}

/// The run left no model and nothing that was to become one.
inline void check_no_model(const std::filesystem::path& folder) {
  CHECK_FALSE(std::filesystem::exists(folder / "run" / "model.safetensors"));
  if (!std::filesystem::exists(folder / "run")) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run")) {
    INFO(entry.path());
    CHECK(entry.path().filename().string().front() != '.');  // no temporary file is left
    CHECK(entry.path().extension() != ".partial");
  }
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace millrace::test
