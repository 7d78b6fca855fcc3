// The manual speaks of what there is: options that the program has, files that exist.

#include "apps/run_program.h"
#include "catch.h"
#include "io/scratch.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = MILLRACE_SOURCE;

std::vector<fs::path> pages() {
  std::vector<fs::path> pages = {kSource / "README.md"};
  for (const auto& entry : fs::directory_iterator(kSource / "docs")) {
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  }
  return pages;
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match) {
    found.insert((*match)[1].str());
  }
  return found;
}

/// The options of all commands, of scripts, and of other programs that the manual calls.
std::set<std::string> known_options() {
  std::set<std::string> options = {"--logdir", "--preset", "--build", "--install",
                                   "--prefix", "--cflags", "--libs"};
  for (const char* command : {"train", "evaluate", "predict", "inspect", "convert", "prune"}) {
    options.merge(matches(run({command, "--help"}).out, "(--[a-z][a-z0-9-]*)"));
  }
  for (const char* what : {"compute", "train", "augment", "runtime"}) {
    options.merge(matches(run({"bench", what, "--help"}).out, "(--[a-z][a-z0-9-]*)"));
  }
  for (const auto& script : fs::directory_iterator(kSource / "scripts")) {
    options.merge(matches(text_of(script.path()), "(--[a-z][a-z0-9-]*)"));
  }
  return options;
}

}  // namespace

TEST_CASE("every option that the manual names is one of the program's") {
  const std::set<std::string> known = known_options();
  for (const fs::path& page : pages()) {
    for (const std::string& option :
         matches(text_of(page), "(?:^|[ `(/])(--[a-z][a-z0-9-]*)")) {
      if (option.back() == '-') continue;  // of forms that all flags have
      INFO(page << ": " << option);
      CHECK(known.count(option) == 1);
    }
  }
}

TEST_CASE("the tables of options in the manual are those of the program") {
  const Scratch scratch;
  const fs::path page = kSource / "docs/options.md", written = scratch / "options.md";
  fs::copy_file(page, written);
  const std::string command = concat("'", (kSource / "scripts/write-options").string(),
                                     "' '" MILLRACE_PROGRAM "' '", written.string(), "'");
  REQUIRE(std::system(command.c_str()) == 0);
  INFO("scripts/write-options " MILLRACE_PROGRAM " writes docs/options.md anew");
  CHECK(text_of(written) == text_of(page));
}

TEST_CASE("every recipe that the manual names is there") {
  for (const fs::path& page : pages()) {
    for (const std::string& recipe : matches(text_of(page), "apps/recipes/([a-z0-9-]+\\.ini)")) {
      INFO(page << ": " << recipe);
      CHECK(fs::exists(kSource / "apps/recipes" / recipe));
    }
  }
}

TEST_CASE("every page of the manual is in its table of contents") {
  const std::string contents = text_of(kSource / "docs/README.md");
  for (const fs::path& page : pages()) {
    const std::string name = page.filename().string();
    INFO(page);
    CHECK((name == "README.md" || contents.find("](" + name + ")") != std::string::npos));
  }
}
