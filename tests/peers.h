#pragma once
// Tests that ask other people's programs: a Python that has TensorBoard, Keras and the like. The
// environment variable MILLRACE_PEERS_PYTHON names it; without it such a case is counted as
// skipped.

#include <millrace/core/error.h>

#include <sys/wait.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace millrace::test {

/// The Python to ask. None: the case is to return at once, and ctest takes the line that is printed
/// here for a skip.
///
///   const auto python = peers_python();
///   if (!python) return;
inline std::optional<std::string> peers_python() {
  const char* const name = std::getenv("MILLRACE_PEERS_PYTHON");
  if (name != nullptr && *name != '\0') return name;
  std::cout << "skipped: MILLRACE_PEERS_PYTHON names no Python with the peers' packages\n";
  return {};
}

/// A word of a command of the shell.
inline std::string quoted(std::string word) {
  for (std::size_t at = 0; (at = word.find('\'', at)) != std::string::npos; at += 4) {
    word.replace(at, 1, "'\\''");
  }
  return concat('\'', word, '\'');
}

/// Runs tests/peers/`script` and gives what it prints on stdout. Throws Error if it fails: a Python
/// that is named has to have what the script needs.
inline std::string ask_peer(const std::string& python, const std::string& script,
                            std::initializer_list<std::string> arguments) {
  std::string command = concat(quoted(python), ' ', quoted(MILLRACE_PEER_SCRIPTS "/" + script));
  for (const std::string& argument : arguments) command.append(" ").append(quoted(argument));
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw Error(command + ": cannot be run");
  std::string output;
  std::array<char, 4096> piece{};
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe)) {
    output.append(piece.data(), n);
  }
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw Error(command + ": failed");
  return output;
}

}  // namespace millrace::test
