package devnet

import (
	"context"
	"fmt"
	"maps"

	"github.com/filecoin-project/go-state-types/network"
	"github.com/ipfs/go-cid"
)

// The bundle of actors of network version 28 for development networks (lotus
// build/builtin_actors_gen.go, "devnet", v18). Only accounts and miners exist here.
var (
	manifestCID = cid.MustParse("bafy2bzaced35gjxagazf2fne5dakbok5abmivsh7cq7huwfuptebgwjmcpcf6")
	actorCodes  = map[string]cid.Cid{
		"account":          accountCode,
		"cron":             cid.MustParse("bafk2bzacedrv5m6tczd6dz6ly3zmenkljnokovduvgkbmgxvsawbalerciieg"),
		"datacap":          cid.MustParse("bafk2bzaceamho7atkl2a7c3m3t24v6tf3wzceaewp3ph6rjmwza3xdy3gmqb6"),
		"eam":              cid.MustParse("bafk2bzaceaxpy4ilqlibpgytnt5ucmju2ooi3bqwca6dngwy6hlzmshyjpafw"),
		"ethaccount":       cid.MustParse("bafk2bzacedsbwrrjywdmxeluuzwfhmam2jmrm6ivj72ggw6qaijcx7ilw5fvk"),
		"evm":              cid.MustParse("bafk2bzacec273j42hyrcaeqms6xuuezkozjhptmyniwtr7y4jzjdoflccn2is"),
		"init":             cid.MustParse("bafk2bzaced23vlf6nemlulavy2ouxuvudxe3jbu4klc74tcgruafrqu2fnt3c"),
		"multisig":         cid.MustParse("bafk2bzacecquc4zxikmjfwsiyzx4tbxlsvauf53c7spf3hdz6jwmkczyqwbrg"),
		"paymentchannel":   cid.MustParse("bafk2bzacecf3jaqzs757hmyxpthnj7vaxr2z6h5v6yubptvqasgabxiubeoim"),
		"placeholder":      cid.MustParse("bafk2bzacedfvut2myeleyq67fljcrw4kkmn5pb5dpyozovj7jpoez5irnc3ro"),
		"reward":           cid.MustParse("bafk2bzacedchalmz2omgitfunbqg5opzcvrlvju77k6dr5zt2poyy7jjzkvwa"),
		"storagemarket":    cid.MustParse("bafk2bzacecjrg6jueodndhwtkaa3n2v2tkjakmzu4c57hrhg5ige4d4kjggcg"),
		"storageminer":     minerCode,
		"storagepower":     cid.MustParse("bafk2bzacebydegz3ap6xgejojdu3usfddhyrj476f25ooahgcqko6d7djynas"),
		"system":           cid.MustParse("bafk2bzacedced5maxljwmavukjvtnmknpzoullfcwk3upaz5x5hvvdl2pk24e"),
		"verifiedregistry": cid.MustParse("bafk2bzaceccqnqgyehy72nkmujvpyibikslvpyxfhpqivzjmbkmdbme5xzm2u"),
	}
)

// StateActorCodeCIDs gives the code of every actor of a network version; of
// versions other than 28 only those of the actors that exist here.
func (a *api) StateActorCodeCIDs(_ context.Context, version uint) (map[string]cid.Cid, error) {
	if version != networkVersion {
		return a.n.codesOf(network.Version(version))
	}
	return maps.Clone(actorCodes), nil
}

func (a *api) StateActorManifestCID(_ context.Context, version uint) (cid.Cid, error) {
	if version != uint(usualVersion) {
		return cid.Undef, fmt.Errorf("invalid network version")
	}
	return manifestCID, nil
}
