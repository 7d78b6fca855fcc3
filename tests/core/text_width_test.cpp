// Columns of text on a terminal. Widths are those of Unicode's East_Asian_Width, marks have none.

#include "catch.h"

#include <millrace/core/text_width.h>

using namespace millrace;

TEST_CASE("Columns are counted as a terminal shows them") {
  CHECK(text_columns("") == 0);
  CHECK(text_columns("cats and dogs") == 13);
  CHECK(text_columns("caf\u00e9") == 4);
  CHECK(text_columns("cafe\u0301") == 4);                // an accent that joins the e
  CHECK(text_columns("\u732b\u3068\u72ac") == 6);        // cats and dogs in Japanese
  CHECK(text_columns("\ud55c\uae00") == 4);              // Hangul syllables
  CHECK(text_columns("\u1112\u1161\u11ab") == 2);        // one of them, in its parts
  CHECK(text_columns("\uff21") == 2);                    // a fullwidth A
  CHECK(text_columns("\uff71") == 1);                    // halfwidth katakana
  CHECK(text_columns("\U0001F431") == 2);                // a cat's face
  CHECK(text_columns("\u2764\ufe0f") == 2);              // a heart, drawn as emoji
  CHECK(text_columns("\u0441\u043e\u0431\u0430") == 4);  // Cyrillic
  CHECK(text_columns("\u05d7\u05b8\u05ea") == 2);        // Hebrew with a vowel point
  CHECK(text_columns("a\u200bb") == 2);                  // a space without width
  CHECK(text_columns("a\xff") == 2);                     // no UTF-8
}

TEST_CASE("What is unknown counts as wide, so that a line does not wrap") {
  CHECK(text_columns("\U000E1000") == 2);  // not assigned
}

TEST_CASE("Text that is too wide keeps its beginning, and as much of its end as is wanted") {
  CHECK(shortened("cats and dogs", 13) == "cats and dogs");
  CHECK(shortened("cats and dogs", 12) == "cats and ...");
  CHECK(shortened("cats and dogs", 9, 0.5) == "cat...ogs");
  CHECK(shortened("cats and dogs", 9, 1) == "...d dogs");
  CHECK(shortened("cats and dogs", 4) == "c...");
  CHECK(shortened("cats and dogs", 2) == "..");
  CHECK(shortened("cats and dogs", 0).empty());
}

TEST_CASE("Text is not cut within a wide character or between a letter and its accent") {
  CHECK(shortened("\u732b\u3068\u72ac\u732b", 6) == "\u732b...");
  CHECK(shortened("\u732b\u3068\u72ac\u732b", 7) == "\u732b\u3068...");
  CHECK(shortened("\u732b\u3068\u72ac\u732b", 7, 1) == "...\u72ac\u732b");
  CHECK(shortened("e\u0301e\u0301e\u0301e\u0301e\u0301", 4) == "e\u0301...");
  CHECK(shortened("e\u0301e\u0301e\u0301e\u0301e\u0301", 4, 1) == "...e\u0301");
}
