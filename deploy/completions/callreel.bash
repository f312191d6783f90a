# bash completion of callreel(1): /usr/share/bash-completion/completions/callreel
_callreel() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} verb=${COMP_WORDS[2]-}
  local commands="serve migrate business key signin status fetch retry verify backup check demo version" options="--help --config --json"
  local codes="not_yet_available not_found_at_provider absent_too_short absent_silent auth_failed rate_limited provider_error
    timeout truncated not_audio too_large storage_full storage_error forbidden_url encrypted no_worker"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
    return
  fi
  case $before in
    --config | --auth-token-file | --api-secret-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --code)
      mapfile -t COMPREPLY < <(compgen -W "$codes" -- "$word")
      return
      ;;
    --role)
      local roles="viewer agent admin"
      if [ "$command" = serve ]; then roles="all web worker"; fi
      mapfile -t COMPREPLY < <(compgen -W "$roles" -- "$word")
      return
      ;;
    --business | --name | --id | --account-sid | --api-key | --base-url | --number | --since) return ;;
  esac
  local edit="--name --account-sid --auth-token-file --api-key --api-secret-file --base-url --number"
  case $command in
    serve) options+=" --role" ;;
    business)
      case $verb in
        add) options+=" $edit --id" ;;
        set) options+=" $edit" ;;
        remove) options+=" --purge" ;;
        list) ;;
        *) options="add list set remove --help" ;;
      esac
      ;;
    key)
      case $verb in
        create) options+=" --business --platform --role --name" ;;
        list) options+=" --business" ;;
        revoke) ;;
        *) options="create list revoke --help" ;;
      esac
      ;;
    signin) options+=" --business --role" ;;
    status) options+=" --business --watch" ;;
    fetch) options+=" --business" ;;
    verify) options+=" --repair --adopt-store" ;;
    backup)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word"; compgen -f -- "$word")
      return
      ;;
    retry) options+=" --business --code --since" ;;
    demo) options+=" --server --stay --sim --account --auth-token-file" ;;
    migrate | check | version) ;;
    *) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _callreel callreel
