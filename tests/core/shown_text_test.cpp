#include <millrace/core/shown_text.h>

#include "catch.h"

#include <string>
#include <utility>
#include <vector>

using namespace millrace;

TEST_CASE("names of files are shown without the codes that a terminal obeys") {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"cats/1.jpg", "cats/1.jpg"},
      {"a\tb\nc\rd", "a\\tb\\nc\\rd"},
      {"a\x1b[31mb", "a\\e[31mb"},
      {"bell\x07 del\x7f", "bell\\x07 del\\x7f"},
      {"a\\tb", "a\\tb"},
      {"caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\xb1", "caf\xc3\xa9 \xe7\x8c\xab \xf0\x9f\x90\xb1"},
      {"caf\xe9", "caf\\xe9"},
      {"cut \xe7\x8c", "cut \\xe7\\x8c"},
      {"\xc2\x9b"
       "31m",
       "\\u009b31m"},  // CSI in one character
      {"\xe2\x80\xae"
       "gpj.exe",
       "\\u202egpj.exe"},  // written from right to left
      {"\xe2\x80\xa8\xe2\x81\xa9", "\\u2028\\u2069"},
      {"\xed\xa0\x80 \xc0\xaf", "\\xed\\xa0\\x80 \\xc0\\xaf"},  // a surrogate, an overlong slash
  };
  for (const auto& [text, result] : expected) CHECK(shown(text) == result);
}

TEST_CASE("text that must be UTF-8 keeps its control characters and loses no byte unseen") {
  CHECK(as_utf8("caf\xc3\xa9\t") == "caf\xc3\xa9\t");
  CHECK(as_utf8("caf\xe9\t") == "caf\\xe9\t");
  CHECK(as_utf8("") == "");
}

TEST_CASE("a sequence of UTF-8 is a code point") {
  CHECK(code_point("A") == U'A');
  CHECK(code_point("\xc3\xa9") == U'\u00e9');
  CHECK(code_point("\xe7\x8c\xab") == U'\u732b');
  CHECK(code_point("\xf0\x9f\x90\xb1") == U'\U0001f431');
}
