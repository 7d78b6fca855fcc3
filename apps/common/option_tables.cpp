#include "apps/common/option_tables.h"

namespace millrace::apps {
namespace {

std::string with_other_names(const Option& option) {
  std::string text = option.help;
  for (const std::string& other : option.other_names) text += concat("; also --", other);
  return text;
}

/// Markdown that shows the text as it is.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '<') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// In a table a bar ends the cell, inside of code too.
std::string code(const std::string& text) {
  std::string escaped = "`";
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped + '`';
}

std::string row_of(const Option& option) {
  std::string needs;
  for (const auto& [other, fits] : option.needed) needs += concat(needs.empty() ? "" : "; ", other);
  const std::string unit = option.unit.empty() ? std::string() : concat(' ', option.unit);
  return concat("| ", code(concat("--", option.shown_name(), unit)), " | ",
                cell(option.shown_default()), " | ", cell(option.range), " | ", cell(needs), " | ",
                cell(with_other_names(option)), " |\n");
}

}  // namespace

std::string help_of(const Option& option) {
  // That a count is not below zero goes without saying.
  std::string facts = option.range == at_least(0).text() ? std::string() : option.range;
  const std::string usual = option.shown_default();
  if (!usual.empty()) facts += concat(facts.empty() ? "" : "; ", "default: ", usual);
  return with_other_names(option) + (facts.empty() ? facts : concat(" (", facts, ')'));
}

std::string option_tables(const std::string& command, const OptionList& options) {
  std::string text = concat("\n## millrace ", command, '\n');
  for (const OptionList::Topic& topic : options.topics()) {
    std::string rows;
    for (const auto& option : options.options()) {
      if (option->topic == topic.key && !option->is_positional) rows += row_of(*option);
    }
    if (rows.empty()) continue;
    text += concat("\n### ", topic.title, "\n\n| option | default | range | needs | meaning |\n",
                   "|---|---|---|---|---|\n", rows);
  }
  return text;
}

}  // namespace millrace::apps
