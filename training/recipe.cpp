#include <millrace/training/recipe.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace millrace {
namespace {

/// A text that a line of a file would not give back as it is stands in quotes.
std::string quoted(const std::string& text) {
  const bool is_plain = !text.empty() && text == trimmed(text) && text.front() != '"' &&
                        text.find_first_of("\n\r") == std::string::npos;
  if (is_plain) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\r') {
      result += "\\r";
    } else {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result + '"';
}

std::string unquoted(const std::string& text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
  std::string result;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\' || i + 2 >= text.size()) {
      result += text[i];
      continue;
    }
    const char c = text[++i];
    result += c == 'n' ? '\n' : c == 'r' ? '\r' : c;
  }
  return result;
}

}  // namespace

void read_recipe(const std::filesystem::path& path, OptionList& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw UsageError(concat("the recipe ", path.string(),
                            " is a folder; give a file, such as the config.ini of a run"));
  }
  std::ifstream file(path);
  if (!file) {
    throw UsageError(concat("cannot read the recipe ", path.string(), ": ", std::strerror(errno)));
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte order mark
    line = trimmed(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto refuse = [&](const auto&... why) {
      throw UsageError(concat("recipe ", path.string(), ", line ", number, ": ", why...));
    };
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) refuse("'", line, "' is not KEY = VALUE");
    const std::string key = trimmed(line.substr(0, equals));
    const OptionList::Found found = options.find(key);
    if (found.option == nullptr) {
      const std::string nearest = options.nearest(key);
      refuse("unknown key '", key, "'",
             nearest.empty() ? std::string() : concat(" (did you mean '", nearest, "'?)"));
    }
    if (found.option->is_never_in_files) refuse("'", key, "' is for the command line only");
    if (found.option->source == OptionSource::command_line) continue;
    std::string value = unquoted(trimmed(line.substr(equals + 1)));
    if (found.option->is_flag && value.empty()) value = "true";  // as "--flip" is
    try {
      options.set(key, value, OptionSource::recipe);
    } catch (const UsageError& error) {
      refuse(error.what());
    }
  }
}

std::string recipe_text(const OptionList& options) {
  std::string text;
  for (const auto& option : options.options()) {
    const std::string value = option->write();
    const bool is_absent = value.empty() || (value == "none" && option->is_initial());
    if (option->is_of_command || is_absent) continue;
    text += concat(option->name, " = ", quoted(value), '\n');
  }
  return text;
}

}  // namespace millrace
