#include "catch.h"

#include <millrace/core/shell_text.h>
#include <millrace/core/shown_text.h>

#include <array>
#include <cstdio>
#include <string>

using namespace millrace;

namespace {

/// What bash makes of a command line's only argument.
std::string by_bash(const std::string& word) {
  FILE* const shell = ::popen(("LC_ALL=C.UTF-8 bash -c \"printf %s \"'" +
                               [&] {
                                 std::string quoted;
                                 for (const char c : word)
                                   quoted += c == '\'' ? "'\\''" : std::string(1, c);
                                 return quoted;
                               }() +
                               "'")
                                  .c_str(),
                              "r");
  REQUIRE(shell != nullptr);
  std::string out;
  std::array<char, 256> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), shell)) {
    out.append(block.data(), n);
  }
  CHECK(::pclose(shell) == 0);
  return out;
}

}  // namespace

TEST_CASE("a word for a shell is what it was once the shell has read it") {
  const std::string word =
      GENERATE(as<std::string>{}, "runs/20260131-154500", "run 1", "it's", "'", "a'b'c d", "$HOME",
               "~/x", "*.png", "a;b", "`x`", "a\\b", "\"q\"", "a&b|c<d>e(f)", "#a", "!x", "{a,b}",
               "[ab]", "a?", "a\nb", "tab\tand 'quote'", "back\\slash\nline",
               "bell\x07"
               "1",
               "caf\xC3\xA9", "caf\xE9 x",
               "\xE2\x80\xAE"
               "9",
               "a=b", "50%");
  const std::string quoted = shell_quoted(word);
  INFO(quoted);
  CHECK(by_bash(quoted) == word);
  CHECK(shown(quoted) == quoted);
}

TEST_CASE("a word that no shell changes stands without quotes") {
  CHECK(shell_quoted("runs/20260131-154500") == "runs/20260131-154500");
  CHECK(shell_quoted("../a_b/C-1.5,2:x@y+z%") == "../a_b/C-1.5,2:x@y+z%");
  CHECK(shell_quoted("caf\xC3\xA9") == "caf\xC3\xA9");
  CHECK(shell_quoted("run 1") == "'run 1'");
  CHECK(shell_quoted("") == "''");
}
