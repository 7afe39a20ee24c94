// What `tidemark completion SHELL` prints. Each script hands what is written so far to `tidemark complete`,
// whose first line says what the shell shall do besides offering the lines that follow: "files" or "folders"
// of its own, and "nospace" behind a word.
#include "client/cli/completion.h"

namespace tidemark::cli {
namespace {

constexpr std::string_view kBash = R"(# tidemark for bash: source <(tidemark completion bash)
_tidemark() {
  local program=${1/#\~/$HOME} extra= word
  COMPREPLY=()
  while IFS= read -r word; do
    if [ -z "$extra" ]; then extra=$word; else COMPREPLY+=("$word"); fi
  done < <("$program" complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  case $extra in
    *files*) compopt -o default ;;
    *folders*) compopt -o dirnames ;;
  esac
  case $extra in *nospace*) compopt -o nospace ;; esac
}
complete -F _tidemark tidemark
)";

constexpr std::string_view kZsh = R"(#compdef tidemark
# tidemark for zsh: source <(tidemark completion zsh), or this as a file _tidemark in a folder of $fpath
_tidemark() {
  local program=${words[1]/#\~/$HOME} extra= line
  local -i i width=0
  local -a candidates what shown space
  local -a typed=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  while IFS= read -r line; do
    if [[ -z $extra ]]; then
      extra=$line
    else
      candidates+=("${line%%$'\t'*}")
      what+=("${${line#*$'\t'}:#$line}")
      (( $#candidates[-1] > width )) && width=$#candidates[-1]
    fi
  done < <("$program" complete zsh "${typed[@]}" 2>/dev/null)
  [[ $extra == *nospace* ]] && space=(-S '')
  if (( $#candidates )); then
    if [[ -z ${(j::)what} ]]; then
      compadd "${space[@]}" -a candidates
    else
      for (( i = 1; i <= $#candidates; i++ )); do
        shown+=("${(r:width:)candidates[i]}${what[i]:+  -- $what[i]}")
      done
      compadd "${space[@]}" -l -d shown -a candidates
    fi
  fi
  case $extra in
    *files*) _files ;;
    *folders*) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _tidemark ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
)";

constexpr std::string_view kFish = R"(# tidemark for fish: tidemark completion fish | source
function __tidemark_complete
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -l typed (string unescape -- (commandline -ct); or commandline -ct)
    test (count $typed) -gt 0; or set typed ''
    set -l lines ($program complete fish $words[2..-1] "$typed" 2>/dev/null)
    for line in $lines[2..-1]
        echo $line
    end
    switch "$lines[1]"
        case '*files*'
            __fish_complete_path "$typed"
        case '*folders*'
            __fish_complete_directories "$typed"
    end
end
complete -c tidemark -f -k -a '(__tidemark_complete)'
)";

}  // namespace

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  return kFish;
}

}  // namespace tidemark::cli
