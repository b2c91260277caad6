package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

var ctx = context.Background()

func (s suite) create(name string, parameters azkeys.CreateKeyParameters) azkeys.KeyBundle {
	return must(s.client.CreateKey(ctx, name, parameters, nil)).KeyBundle
}

func rsaKey() azkeys.CreateKeyParameters {
	return azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(2048))}
}

func ecKey(curve azkeys.CurveName) azkeys.CreateKeyParameters {
	return azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(curve)}
}

// refused takes the error of what the service has to refuse.
func refused(err error, status int) *azcore.ResponseError {
	var answer *azcore.ResponseError
	check(errors.As(err, &answer), "not refused: %v", err)
	check(answer.StatusCode == status, "%d instead of %d: %s", answer.StatusCode, status, answer.ErrorCode)
	return answer
}

func createAndGet(s suite) {
	parameters := rsaKey()
	parameters.Tags = map[string]*string{"a": to.Ptr("b")}
	made := s.create("rsa", parameters)
	check(strings.HasPrefix(string(*made.Key.KID), s.url+"/keys/rsa/"), "%s", *made.Key.KID)
	read := must(s.client.GetKey(ctx, "rsa", "", nil))
	check(string(read.Key.N) == string(made.Key.N), "the latest version has another modulus")
	read = must(s.client.GetKey(ctx, "rsa", made.Key.KID.Version(), nil))
	check(*read.Tags["a"] == "b", "another tag")
	for _, curve := range azkeys.PossibleCurveNameValues() {
		check(*s.create("ec-"+string(curve), ecKey(curve)).Key.Crv == curve, "another curve than %s", curve)
	}
}

func listInTwoPages(s suite) {
	for index := range 26 {
		s.create(fmt.Sprintf("page-%d", index), ecKey(azkeys.CurveNameP256))
	}
	var sizes []int
	names := map[string]bool{}
	for pager := s.client.NewListKeyPropertiesPager(nil); pager.More(); {
		page := must(pager.NextPage(ctx))
		sizes = append(sizes, len(page.Value))
		for _, key := range page.Value {
			names[key.KID.Name()] = true
		}
	}
	check(len(sizes) == 2 && sizes[0] == 25, "pages of %v", sizes)
	for index := range 26 {
		check(names[fmt.Sprintf("page-%d", index)], "page-%d is not listed", index)
	}
}

func versions(s suite) {
	made := map[string]bool{}
	for range 3 {
		made[s.create("versions", ecKey(azkeys.CurveNameP256)).Key.KID.Version()] = true
	}
	listed := 0
	for pager := s.client.NewListKeyPropertiesVersionsPager("versions", nil); pager.More(); {
		for _, key := range must(pager.NextPage(ctx)).Value {
			check(made[key.KID.Version()], "%s was not made", *key.KID)
			listed++
		}
	}
	check(listed == 3, "%d versions", listed)
}

func update(s suite) {
	made := s.create("update", ecKey(azkeys.CurveNameP256))
	later := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	must(s.client.UpdateKey(ctx, "update", "", azkeys.UpdateKeyParameters{
		KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false), Expires: &later},
		Tags:          map[string]*string{"c": to.Ptr("d")},
	}, nil))
	read := must(s.client.GetKey(ctx, "update", made.Key.KID.Version(), nil))
	check(!*read.Attributes.Enabled && read.Attributes.Expires.Equal(later), "%v", read.Attributes)
	check(*read.Tags["c"] == "d", "another tag")
}

func deleteRecoverAndPurge(s suite) {
	s.create("gone", ecKey(azkeys.CurveNameP256))
	deleted := must(s.client.DeleteKey(ctx, "gone", nil))
	check(*deleted.RecoveryID == s.url+"/deletedkeys/gone", "%s", *deleted.RecoveryID)
	_, err := s.client.GetKey(ctx, "gone", "", nil)
	refused(err, 404)
	_, err = s.client.CreateKey(ctx, "gone", ecKey(azkeys.CurveNameP256), nil)
	refused(err, 409)
	found := false
	for pager := s.client.NewListDeletedKeyPropertiesPager(nil); pager.More(); {
		for _, key := range must(pager.NextPage(ctx)).Value {
			found = found || key.KID.Name() == "gone"
		}
	}
	check(found, "not among the deleted")
	must(s.client.RecoverDeletedKey(ctx, "gone", nil))
	must(s.client.GetKey(ctx, "gone", "", nil))
	must(s.client.DeleteKey(ctx, "gone", nil))
	must(s.client.PurgeDeletedKey(ctx, "gone", nil))
	_, err = s.client.GetDeletedKey(ctx, "gone", nil)
	refused(err, 404)
}

func backupAndRestore(s suite) {
	made := s.create("backup", ecKey(azkeys.CurveNameP256))
	backup := must(s.client.BackupKey(ctx, "backup", nil))
	_, err := s.client.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup.Value}, nil)
	refused(err, 409)
	must(s.client.DeleteKey(ctx, "backup", nil))
	must(s.client.PurgeDeletedKey(ctx, "backup", nil))
	restored := must(s.client.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup.Value}, nil))
	check(*restored.Key.KID == *made.Key.KID && string(restored.Key.X) == string(made.Key.X), "%s", *restored.Key.KID)
	check(restored.Attributes.Created.Equal(*made.Attributes.Created), "created at another time")
}

func rotateAndRotationPolicy(s suite) {
	made := s.create("rotate", rsaKey())
	written := must(s.client.UpdateKeyRotationPolicy(ctx, "rotate", azkeys.KeyRotationPolicy{
		Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: to.Ptr("P3M")},
		LifetimeActions: []*azkeys.LifetimeAction{{
			Action:  &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionRotate)},
			Trigger: &azkeys.LifetimeActionTrigger{TimeAfterCreate: to.Ptr("P2M")},
		}},
	}, nil))
	read := must(s.client.GetKeyRotationPolicy(ctx, "rotate", nil))
	check(*written.Attributes.ExpiryTime == "P3M" && *read.Attributes.ExpiryTime == "P3M", "another expiry time")
	found := false
	for _, action := range read.LifetimeActions {
		// A managed HSM writes the action in lower case.
		if strings.EqualFold(string(*action.Action.Type), "rotate") {
			found = *action.Trigger.TimeAfterCreate == "P2M"
		}
	}
	check(found, "the policy does not rotate")
	rotated := must(s.client.RotateKey(ctx, "rotate", nil))
	check(rotated.Key.KID.Version() != made.Key.KID.Version(), "the same version")
	check(string(rotated.Key.N) != string(made.Key.N), "the same key")
}

func refusals(s suite) {
	_, err := s.client.GetKey(ctx, "nobody-made-this", "", nil)
	check(refused(err, 404).ErrorCode == "KeyNotFound", "%v", err)
	parameters := rsaKey()
	parameters.KeySize = to.Ptr(int32(1000))
	_, err = s.client.CreateKey(ctx, "bad", parameters, nil)
	check(refused(err, 400).ErrorCode == "BadParameter", "%v", err)
}
