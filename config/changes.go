package config

import "reflect"

// Change is a key in which two configurations of a service differ.
type Change struct {
	Key string
	// Live keys take effect without a new process.
	Live bool
}

// Changes returns the keys in which two configurations of a service differ, in
// the order of the key table.
func Changes(a, b *Service) []Change {
	var found []Change
	for _, f := range fields {
		if !reflect.DeepEqual(f.of(a), f.of(b)) {
			found = append(found, Change{f.key, f.live})
		}
	}
	return found
}

// field is what a key of a service says.
type field struct {
	key  string
	live bool
	of   func(*Service) any
}

var fields = []field{
	{"command", false, func(s *Service) any { return s.Command }},
	{"working_dir", false, func(s *Service) any { return s.WorkingDir }},
	{"environment", false, func(s *Service) any { return s.Environment }},
	{"env_file", false, func(s *Service) any { return s.EnvFiles }},
	{"unset_environment", false, func(s *Service) any { return s.UnsetEnvironment }},
	{"user", false, func(s *Service) any { return s.User }},
	{"group", false, func(s *Service) any { return s.Group }},
	{"umask", false, func(s *Service) any { return s.Umask }},
	{"limits", false, func(s *Service) any { return s.Limits }},
	{"oom_score_adj", false, func(s *Service) any { return s.OOMScoreAdj }},
	{"autostart", true, func(s *Service) any { return s.Autostart }},
	{"depends_on", true, func(s *Service) any { return s.DependsOn }},
	{"instances", false, func(s *Service) any { return s.Instances }},
	{"warmup", true, func(s *Service) any { return s.Warmup }},
	{"start_timeout", true, func(s *Service) any { return s.StartTimeout }},
	{"ready", true, func(s *Service) any { return s.Ready }},
	{"listen", false, func(s *Service) any { return s.Listen }},
	{"stop_signal", true, func(s *Service) any { return s.StopSignal }},
	{"stop_timeout", true, func(s *Service) any { return s.StopTimeout }},
	{"kill_mode", true, func(s *Service) any { return s.KillMode }},
	{"restart", true, func(s *Service) any { return s.Restart }},
	{"restart_delay", true, func(s *Service) any { return s.RestartDelay }},
	{"restart_max_delay", true, func(s *Service) any { return s.RestartMaxDelay }},
	{"restart_limit", true, func(s *Service) any { return s.RestartLimit }},
	{"success_exit_codes", true, func(s *Service) any { return s.SuccessExitCodes }},
	{"essential", true, func(s *Service) any { return s.Essential }},
	{"max_draining", true, func(s *Service) any { return s.MaxDraining }},
	{"probation", true, func(s *Service) any { return s.Probation }},
	{"before_start", true, func(s *Service) any { return s.BeforeStart }},
	{"before_stop", true, func(s *Service) any { return s.BeforeStop }},
	{"after_reload", true, func(s *Service) any { return s.AfterReload }},
	{"reload", true, func(s *Service) any { return s.Reload }},
	{"reload_when", true, func(s *Service) any { return s.ReloadWhen }},
	{"reload_signal", true, func(s *Service) any { return s.ReloadSignal }},
	{"output", false, func(s *Service) any { return s.Output }},
	{"stderr", false, func(s *Service) any { return s.Stderr }},
	{"output_max_size", true, func(s *Service) any { return s.OutputMaxSize }},
	{"output_backups", true, func(s *Service) any { return s.OutputBackups }},
	{"publish", false, func(s *Service) any { return s.Publish }},
	{"overlap", true, func(s *Service) any { return s.Overlap }},
	{"compat", false, func(s *Service) any { return s.Compat }},
}
